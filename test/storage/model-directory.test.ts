import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkpointDirectory, findCheckpoint, loadModelFiles } from '../../src/storage/model-directory.ts';
import type { TensorEntry } from '../../src/storage/safetensors.ts';
import { type Checkpoint, loadCheckpoint, prepareRun, saveCheckpoint } from '../../src/training/checkpoint.ts';
import { MetricsLog } from '../../src/training/metrics.ts';
import { tinyConfiguration } from '../training/support.ts';

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), 'performers-checkpoint-'));
});
afterEach(() => rmSync(out, { recursive: true, force: true }));

const vector = (...values: number[]): TensorEntry => ({
  dtype: 'F32',
  shape: [values.length],
  data: Float32Array.from(values),
});

const checkpointOf = (step: number): Checkpoint => ({
  config: { vocabSize: 13 },
  weights: new Map([['w', vector(step, 2, 3)]]),
  tokenizer: '{"model":{}}',
  optimizer: new Map([['w.first', vector(4, 5, step)]]),
  training: {
    step,
    seed: 3,
    data: { position: 2 * step, fingerprint: 'f' },
    generator: { kind: 'philox4x32-10', key: [3, 0] },
    configuration: tinyConfiguration(),
    best: { step: 1, loss: 2.5 },
  },
});
const save = (step: number, keep = 9): Promise<string> => saveCheckpoint(out, checkpointOf(step), keep);

describe('checkpoints', () => {
  it('come back as they were saved', async () => {
    const directory = await save(7);
    expect(directory).toBe(join(out, 'checkpoints', 'step-00000007'));
    expect(readdirSync(directory).sort()).toEqual([
      'SHA256SUMS',
      'config.json',
      'model.safetensors',
      'optimizer.safetensors',
      'tokenizer.json',
      'training.json',
    ]);
    expect(await loadCheckpoint(directory)).toEqual(checkpointOf(7));
    const { config, weights, tokenizer } = checkpointOf(7);
    expect(await loadModelFiles(directory)).toEqual({ config, weights, tokenizer });
  });

  it('keeps the newest K', async () => {
    for (const step of [3, 20, 100, 9_000_000_000]) await save(step, 2);
    expect(readdirSync(join(out, 'checkpoints')).sort()).toEqual(['step-00000100', 'step-9000000000']);
  });

  it('finds the newest by a run, by its checkpoints/, or the one that is named', async () => {
    const [older, newer] = [await save(100_000_000), await save(99_999_999)];
    expect(await findCheckpoint(out)).toBe(older);
    expect(await findCheckpoint(join(out, 'checkpoints'))).toBe(older);
    expect(await findCheckpoint(newer)).toBe(newer);
  });

  it('needs no optimizer, tokenizer or training state to infer', async () => {
    const directory = await save(7);
    for (const name of ['optimizer.safetensors', 'training.json', 'tokenizer.json']) rmSync(join(directory, name));
    expect((await loadModelFiles(await findCheckpoint(directory))).tokenizer).toBeUndefined();
    await expect(loadCheckpoint(directory)).rejects.toThrow(
      `${directory}/training.json is missing: restore it from a copy or use another checkpoint.`,
    );
  });

  it('says in one sentence what is wrong with a path', async () => {
    await expect(findCheckpoint(join(out, 'none'))).rejects.toThrow(/^There is no .*none: name the directory/);
    await expect(findCheckpoint(out)).rejects.toThrow(
      /holds no model \(neither model\.safetensors nor checkpoints\/\)/,
    );
    writeFileSync(join(out, 'file'), '');
    await expect(findCheckpoint(join(out, 'file'))).rejects.toThrow(/file is a file: name the directory/);
  });

  it.each(['model.safetensors', 'optimizer.safetensors'])(
    'names a flipped or truncated %s and the newest intact older checkpoint',
    async (name) => {
      const directories = [await save(100), await save(200), await save(300), await save(400)];
      const flip = (directory: string): void => {
        const bytes = readFileSync(join(directory, name));
        bytes[bytes.length - 5]! ^= 0x10;
        writeFileSync(join(directory, name), bytes);
      };
      flip(directories[2]!);
      await expect(loadCheckpoint(directories[2]!)).rejects.toThrow(
        `${directories[2]}/${name} is damaged (its checksum does not match): restore it from a copy or use an earlier ` +
          `checkpoint; the older checkpoint ${directories[1]} is intact: name that directory to use it.`,
      );
      truncateSync(join(directories[1]!, name), 50);
      await expect(loadCheckpoint(directories[2]!)).rejects.toThrow(`${directories[0]} is intact`);
      flip(directories[0]!);
      await expect(loadCheckpoint(directories[2]!)).rejects.toThrow(/use an earlier checkpoint\.$/);
      expect((await loadCheckpoint(directories[3]!)).training.step).toBe(400);
    },
  );

  it('names a configuration key that it does not know', async () => {
    const directory = await save(7);
    const path = join(directory, 'training.json');
    const training = JSON.parse(readFileSync(path, 'utf8'));
    training.configuration.stepz = 1;
    rmSync(join(directory, 'SHA256SUMS'));
    writeFileSync(path, JSON.stringify(training));
    await expect(loadCheckpoint(directory)).rejects.toThrow(
      `Unknown key "configuration.stepz" in ${path}: did you mean "steps"?`,
    );
    writeFileSync(path, '{"step": 7,');
    await expect(loadCheckpoint(directory)).rejects.toThrow(`${path} is damaged (it is not JSON)`);
  });

  it('clears leftovers and sets later checkpoints aside before a run continues', async () => {
    await save(100);
    await save(200);
    const parent = join(out, 'checkpoints');
    mkdirSync(join(parent, '.temporary-step-00000300-1234-0123abcd'));
    expect(await findCheckpoint(out)).toBe(checkpointDirectory(out, 200));
    expect(await prepareRun(out, 100)).toEqual([join(parent, 'step-00000200.superseded')]);
    expect(readdirSync(parent).sort()).toEqual(['step-00000100', 'step-00000200.superseded']);
    expect(await findCheckpoint(out)).toBe(checkpointDirectory(out, 100));
  });
});

describe('a model in the layout of Hugging Face', () => {
  const converted = /layout of Hugging Face \(model_type "bert"\): convert it first with `performers convert --from /;
  const config = JSON.stringify({ model_type: 'bert', vocab_size: 101 });

  it('is to be converted first, wherever a model is read', async () => {
    const directory = await save(1);
    writeFileSync(join(directory, 'config.json'), config);
    rmSync(join(directory, 'SHA256SUMS'));
    await expect(loadModelFiles(directory)).rejects.toThrow(converted);
    await expect(loadCheckpoint(directory)).rejects.toThrow(converted);
  });

  it('is known where its weights are in files of other names', async () => {
    writeFileSync(join(out, 'config.json'), config);
    await expect(findCheckpoint(out)).rejects.toThrow(converted);
  });
});

describe('MetricsLog', () => {
  const path = (): string => join(out, 'run', 'metrics.jsonl');
  const steps = (): number[] =>
    readFileSync(path(), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line).step);
  const write = (from: number, ...values: number[]): void => {
    const log = new MetricsLog(path(), from);
    for (const step of values) log.append({ step, loss: 1 / step });
    log.sync();
    log.close();
  };

  it('appends, and on resuming drops what came after the checkpoint', () => {
    write(0, 1, 2, 2, 3, 4);
    write(2, 3, 4, 5);
    expect(steps()).toEqual([1, 2, 2, 3, 4, 5]);
    write(0, 1);
    expect(steps()).toEqual([1]);
  });

  it('drops a line that a killed writer cut short', () => {
    write(0, 1, 2);
    writeFileSync(path(), '{"step":3,"lo', { flag: 'a' });
    write(9, 10);
    expect(steps()).toEqual([1, 2, 10]);
  });

  it('says that it cannot be written', () => {
    writeFileSync(join(out, 'run'), '');
    expect(() => write(0, 1)).toThrow(/^Cannot write .*metrics\.jsonl because (a file|part of that path)/);
  });
});
