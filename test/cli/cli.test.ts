import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandResult, cli, environment, interrupted, performers as run } from './performers.ts';

const directory = mkdtempSync(join(tmpdir(), 'performers-cli-'));
const at = (name: string) => join(directory, name);

function performers(...args: string[]): CommandResult {
  return run(directory, ...args);
}

/** Runs a command that must fail, and checks that it says one sentence naming `parts`. */
function expectFailure(args: string[], ...parts: string[]): void {
  const { status, stdout, stderr } = performers(...args);
  expect(status, stderr).toBe(1);
  expect(stdout).toBe('');
  const lines = stderr
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('performers: ') || line.startsWith('error: '));
  expect(lines, stderr).toHaveLength(1);
  for (const part of parts) expect(lines[0]).toContain(part);
  expect(stderr).not.toContain('    at ');
}

const tinyModel = {
  dModel: 12,
  numLayers: 1,
  numHeads: 3,
  dFeedForward: 16,
  dropout: 0,
  attention: { type: 'favor', numFeatures: 8 },
};
const tinyFlags = ['--batch-size', '2', '--length', '16', '--tokenizer', 'bytes', '--config', at('tiny.json')];

beforeAll(() => {
  const sentences = Array.from({ length: 400 }, (_, i) => `The whale number ${i * 37} swims past ${i % 7} ships. `);
  writeFileSync(at('text.txt'), sentences.join(''));
  writeFileSync(at('empty.txt'), '');
  writeFileSync(at('tiny.json'), JSON.stringify({ model: tinyModel }));
  const { status, stderr } = performers(
    'train',
    '--data',
    at('text.txt'),
    '--out',
    at('run'),
    '--steps',
    '6',
    ...tinyFlags,
    '--checkpoint-every',
    '2',
  );
  expect(status, stderr).toBe(0);
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('performers', () => {
  it('continues a prompt from standard input, whose last line end is no part of the prompt', () => {
    const generate = ['generate', '--model', at('run'), '--tokens', '4', '--json', '--prompt'];
    const written = (input: string | Uint8Array) =>
      spawnSync(process.execPath, [cli, ...generate, '-'], { input, encoding: 'utf8', env: environment });
    const { text, prompt } = JSON.parse(written('The whale\n').stdout);
    expect(prompt).toBe('The whale');
    expect(text).toBe(JSON.parse(performers(...generate, 'The whale').stdout).text);
    expect(written(Uint8Array.of(0x41, 0xff)).stderr).toMatch(/standard input is not UTF-8/);
    expect(written('').stderr).toMatch(/no tokens/);
  });

  it('trains, says what it made, and keeps the last checkpoints', () => {
    const names = readdirSync(at('run/checkpoints')).sort();
    expect(names).toEqual(['step-00000002', 'step-00000004', 'step-00000006']);
    const metrics = readFileSync(at('run/metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(metrics.filter((line) => 'loss' in line).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    const { stdout } = performers('info', '--model', at('run'), '--json');
    expect(performers('info', at('run'), '--json').stdout).toBe(stdout);
    const info = JSON.parse(stdout);
    expect(info).toMatchObject({ step: 6, tokenizer: { vocabSize: 256 }, model: { dModel: 12, numHeads: 3 } });
    // Tied embeddings 256·12, four 12×12 projections and two feed-forward layers with biases, three norms; rotary positions.
    expect(info.parameters).toBe(256 * 12 + 4 * (144 + 12) + (12 * 16 + 16) + (16 * 12 + 12) + 3 * 24);
  });

  it('refuses to overwrite a run, and resumes it to the same losses as one that never stopped', () => {
    expectFailure(
      ['train', '--data', at('text.txt'), '--out', at('run'), ...tinyFlags],
      'already holds a run',
      '--resume',
    );
    const flags = ['--data', at('text.txt'), '--seed', '3', ...tinyFlags];
    performers('train', '--out', at('whole'), '--steps', '6', ...flags);
    performers('train', '--out', at('halves'), '--steps', '3', ...flags);
    const { status, stderr } = performers('train', '--resume', '--out', at('halves'), '--steps', '6');
    expect(status, stderr).toBe(0);
    const losses = (run: string) =>
      readFileSync(at(`${run}/metrics.jsonl`), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
        .filter((line) => 'loss' in line)
        .map(({ step, loss }) => [step, loss]);
    expect(losses('halves')).toEqual(losses('whole'));
    expect(losses('whole')).toHaveLength(6);
  });

  it('generates the same text from the same seed, as text and as JSON', () => {
    const args = ['generate', '--model', at('run'), '--prompt', 'The whale', '--tokens', '20', '--seed', '5'];
    const first = performers(...args);
    expect(first.status, first.stderr).toBe(0);
    expect(first.stdout.startsWith('The whale')).toBe(true);
    const json = JSON.parse(performers(...args, '--json').stdout);
    expect(`${json.prompt}${json.text}\n`).toBe(first.stdout);
    expect(json.tokens).toBe(20);
    expect(performers(...args.slice(0, -1), '6').stdout).not.toBe(first.stdout);
  });

  it('evaluates: a model that has learnt nothing yet needs about log2(256) bits per byte', () => {
    const { stdout, status, stderr } = performers(
      'evaluate',
      '--model',
      at('run'),
      '--data',
      at('text.txt'),
      '--length',
      '16',
      '--json',
    );
    expect(status, stderr).toBe(0);
    const { bitsPerCharacter, bitsPerToken, tokens, characters } = JSON.parse(stdout);
    expect(tokens).toBe(characters - 1);
    expect(bitsPerCharacter).toBeCloseTo((bitsPerToken * tokens) / characters, 9);
    expect(bitsPerToken).toBeGreaterThan(6);
    expect(bitsPerToken).toBeLessThan(8.2);
  });

  it('trains the attention that the flags name, and says which it is', () => {
    const flags = ['--steps', '2', '--seed', '3', ...tinyFlags];
    const trained = (out: string, ...more: string[]) => {
      const run = performers('train', '--data', at('text.txt'), '--out', at(out), ...flags, ...more);
      expect(run.status, run.stderr).toBe(0);
      return JSON.parse(performers('info', '--model', at(out), '--json').stdout).model.attention;
    };
    const featureFlags = ['--features', '10', '--feature-map', 'trigonometric', '--projection', 'givens'];
    expect(trained('auto', '--attention', 'auto', ...featureFlags)).toEqual({
      type: 'auto',
      numFeatures: 10,
      featureMap: { type: 'trigonometric', stabiliser: 1e-6 },
      projection: 'givens',
      redrawInterval: 1000,
      nearField: null,
    });
    // Four tokens a feature, by flops.
    const crossover = Number(/crossover (\d+)/.exec(performers('info', '--model', at('auto')).stdout)?.[1]);
    expect(crossover).toBeGreaterThan(2 * 10);
    expect(crossover).toBeLessThan(8 * 10);
    const text = performers('generate', '--model', at('auto'), '--prompt', 'The whale', '--tokens', '60');
    expect(text.status, text.stderr).toBe(0);
    // The map without its own flag keeps what the file says of the features.
    expect(trained('relu', '--feature-map', 'relu')).toEqual({
      type: 'favor',
      numFeatures: 8,
      featureMap: { type: 'generalised', activation: 'relu', epsilon: 1e-3, stabiliser: 1e-6, scaleInputs: true },
      redrawInterval: 1000,
      normalised: true,
      nearField: null,
    });
    expect(trained('exact', '--attention', 'exact')).toEqual({ type: 'exact' });
    expect(trained('lsh', '--attention', 'lsh')).toMatchObject({ type: 'lsh', numHashes: 4, chunkLength: 64 });
  });

  it('trains reversible layers with feed-forward layers in pieces, and decodes with them', () => {
    const flags = ['--steps', '2', '--reversible', '--feed-forward-chunks', '3', ...tinyFlags];
    const run = performers('train', '--data', at('text.txt'), '--out', at('reversible'), ...flags);
    expect(run.status, run.stderr).toBe(0);
    const { model } = JSON.parse(performers('info', '--model', at('reversible'), '--json').stdout);
    expect(model).toMatchObject({ reversible: true, feedForwardChunks: 3 });
    const text = performers('generate', '--model', at('reversible'), '--prompt', 'The whale', '--tokens', '5');
    expect(text.status, text.stderr).toBe(0);
  });

  it('saves on Ctrl-C and says how to continue', async () => {
    const args = ['train', '--data', at('text.txt'), '--out', at('stopped'), '--steps', '100000', ...tinyFlags];
    const { status, stderr } = await interrupted(directory, 'training tokens', ...args);
    expect(status, stderr).toBe(130);
    expect(stderr).toContain(`train --resume --out ${at('stopped')}`);
    const step = /Stopped at step (\d+)/.exec(stderr)?.[1] ?? '';
    expect(readdirSync(at('stopped/checkpoints')).sort().at(-1)).toBe(`step-${step.padStart(8, '0')}`);
    const resumed = performers('train', '--resume', '--out', at('stopped'), '--steps', '1');
    expect(resumed.status, resumed.stderr).toBe(0);
  });
});

describe('bad input: one sentence, a non-zero exit', () => {
  const train = (...args: string[]) => ['train', '--out', at('bad'), ...args];
  const config = (name: string, value: unknown) => {
    writeFileSync(at(name), typeof value === 'string' ? value : JSON.stringify(value));
    return ['--config', at(name), '--data', at('text.txt')];
  };

  it('files', () => {
    expectFailure(train(), 'nothing to train on', '--data');
    expectFailure(train('--data', at('missing.txt')), 'missing.txt');
    expectFailure(train('--data', at('empty.txt')), 'empty.txt is empty');
    expectFailure(train('--data', directory), directory);
    expectFailure(train('--data', at('text.txt'), '--config', at('none.json')), 'none.json does not exist');
    expectFailure(train(...config('broken.json', '{"model":')), 'broken.json is not JSON');
  });

  it('configuration', () => {
    expectFailure(
      train(...config('a.json', { training: { lerningRate: 1 } })),
      'lerningRate',
      'did you mean "learningRate"',
    );
    expectFailure(train(...config('b.json', { model: { dmodel: 8 } })), 'dmodel', 'did you mean "dModel"');
    expectFailure(train(...config('c.json', { model: { numHeads: 7 } })), 'numHeads', 'must divide dModel');
    expectFailure(train('--data', at('text.txt'), '--features', '0'), 'features', 'positive whole number');
    expectFailure(
      train(...config('d.json', { model: { attention: { type: 'favor', numFeatures: 0 } } })),
      'attention.numFeatures',
    );
    expectFailure(train(...config('e.json', { model: { attention: { type: 'quadratic' } } })), 'attention.type');
    expectFailure(train('--data', at('text.txt'), '--length', '100000'), '100001');
  });

  it('attention', () => {
    const flags = (...more: string[]) => train('--data', at('text.txt'), ...tinyFlags, ...more);
    expectFailure(flags('--attention', 'exact', '--features', '8'), 'Exact attention has no features');
    expectFailure(flags('--attention', 'lsh', '--features', '8'), 'LSH attention has no features', '--attention lsh');
    expectFailure(flags('--attention', 'linformer'), 'causal', 'bidirectional only');
    expectFailure(
      flags('--attention', 'auto', '--feature-map', 'relu'),
      'featureMap',
      'estimate of the softmax kernel',
    );
    expectFailure(flags('--projection', 'none'), 'positive features need random directions');
    expectFailure(flags('--feature-map', 'trigonometric', '--features', '7'), 'come in pairs');
    expectFailure(flags('--feature-map', 'cubic'), 'cubic', 'Allowed choices are positive');
    const crossover = { ...tinyModel.attention, crossover: 5 };
    expectFailure(
      train(...config('f.json', { model: { ...tinyModel, attention: crossover } })),
      'Unknown key',
      'crossover',
    );
  });

  it('models', () => {
    expectFailure(['info'], 'info needs the directory of a model');
    expectFailure(['info', at('run'), '--model', at('run')], 'give one');
    expectFailure(['info', '--model', at('nowhere')], 'nowhere');
    expectFailure(['info', '--model', directory], 'holds no model');
    expectFailure(['generate', '--model', at('run'), '--prompt', ''], 'no tokens');
    cpSync(at('run/checkpoints/step-00000006'), at('cut'), { recursive: true });
    truncateSync(at('cut/model.safetensors'), 999);
    expectFailure(['info', '--model', at('cut')], 'cut/model.safetensors');
    cpSync(at('run/checkpoints/step-00000006'), at('flipped'), { recursive: true });
    const weights = readFileSync(at('flipped/model.safetensors'));
    weights[weights.length - 100] ^= 4;
    writeFileSync(at('flipped/model.safetensors'), weights);
    expectFailure(['info', '--model', at('flipped')], 'flipped/model.safetensors');
  });

  it('a prompt longer than learned positions allow', () => {
    const learned = config('learned.json', { model: { ...tinyModel, positions: 'learned' } });
    performers(
      'train',
      '--out',
      at('learned'),
      '--steps',
      '1',
      ...learned,
      '--batch-size',
      '2',
      '--length',
      '16',
      '--tokenizer',
      'bytes',
    );
    expectFailure(
      ['generate', '--model', at('learned'), '--prompt', 'seventeen letters', '--tokens', '3'],
      '17 tokens',
      'end at 16',
    );
  });

  it('unknown options and commands', () => {
    expect(performers('train', '--frobnicate').status).toBe(1);
    expect(performers('fly').status).toBe(1);
  });
});
