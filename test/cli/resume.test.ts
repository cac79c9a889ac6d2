/** What a resumed run is held to: the data, labels and options that its batches are made of. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunConfiguration, runSchema } from '../../cli/training/configuration.ts';
import { finishRun, type Run, resumeRun } from '../../cli/training/run.ts';
import { createBackend } from '../../src/entries/performers.ts';
import type { TrainingConfiguration } from '../../src/entries/training.ts';
import { commandsIn } from './performers.ts';

const folder = mkdtempSync(join(tmpdir(), 'performers-resume-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (...names: string[]) => join(folder, ...names);
const { run, fails } = commandsIn(folder);
const model = { dModel: 4, numLayers: 1, numHeads: 2, dFeedForward: 8, attention: 'exact' };

/** Another value of each key of the training. */
const otherTraining: Record<keyof TrainingConfiguration, unknown> = {
  ...{ steps: 3, batchSize: 3, length: 17, objective: { type: 'nextToken' }, distillation: null, packing: 'pack' },
  ...{ accumulate: 2, learningRate: 0.5, warmupSteps: 1, schedule: { kind: 'cosine' }, beta1: 0.1, beta2: 0.1 },
  ...{ epsilon: 0.1, weightDecay: 0.5, clip: 9, evaluateEvery: 3, checkpointEvery: 3, keepCheckpoints: 9, seed: 5 },
};

beforeAll(() => {
  for (const kind of ['cat', 'snow']) {
    mkdirSync(at('classes', kind), { recursive: true });
    for (let i = 0; i < 8; i++) writeFileSync(at('classes', kind, `${i}.txt`), `Here is ${kind} ${i}. `.repeat(2));
  }
  writeFileSync(at('tiny.json'), JSON.stringify({ model }));
  const flags = ['--config', 'tiny.json', '--batch-size', '2', '--length', '16', '--threads', '1', '--steps', '2'];
  run(
    'train',
    '--data',
    'classes/*/*.txt',
    '--tokenizer',
    'bytes',
    '--objective',
    'classification',
    ...flags,
    '--out',
    'whole',
  );
});

/** Every file below a folder, with its bytes and when it was written; but tokens.bin, which is made again for other data. */
function contents(directory: string): Record<string, string> {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name !== 'tokens.bin' && statSync(join(directory, name)).isFile()).sort();
  return Object.fromEntries(
    files.map((name) => {
      const path = join(directory, name);
      return [name, `${statSync(path).mtimeMs} ${readFileSync(path, 'base64')}`];
    }),
  );
}

/** Resumes a copy of the run that `change` was made to. */
function refuses(message: string, change: (copy: string) => void): void {
  rmSync(at('copy'), { recursive: true, force: true });
  cpSync(at('whole'), at('copy'), { recursive: true, preserveTimestamps: true });
  change(at('copy'));
  const before = contents(at('copy'));
  fails(message, 'train', '--resume', '--out', 'copy', '--steps', '4', '--threads', '1');
  expect(contents(at('copy'))).toEqual(before);
}

const edit = (path: string, from: string | RegExp, to: string) => {
  const text = readFileSync(path, 'utf8');
  const changed = text.replace(from, to);
  expect(changed).not.toBe(text);
  writeFileSync(path, changed);
};

test('labels of other documents', () => {
  // The same texts in the same order, one of them in the other class.
  refuses('labels differ', (copy) => {
    const run = JSON.parse(readFileSync(join(copy, 'run.json'), 'utf8'));
    cpSync(at('classes/snow/0.txt'), at('classes/cat/9.txt'));
    const moved = run.data.map((name: string) => name.replace(/snow\/0\.txt$/, 'cat/9.txt'));
    writeFileSync(join(copy, 'run.json'), JSON.stringify({ ...run, data: moved }));
  });
  rmSync(at('classes/cat/9.txt'));
});

test.each([
  ['length', '"length": 16', '"length": 8', 'run.json has length 8, but the run was trained with 16'],
  ['batchSize', '"batchSize": 2', '"batchSize": 4', 'run.json has batchSize 4, but the run was trained with 2'],
  ['accumulate', '"accumulate": 1', '"accumulate": 2', 'run.json has accumulate 2, but the run was trained with 1'],
  [
    'packing',
    '"batchSize": 2',
    '"packing": "pack", "batchSize": 2',
    'run.json has packing "pack", but the run was trained with unset',
  ],
  ['dModel', '"dModel": 4', '"dModel": 8', 'run.json has dModel 8, but the run was trained with 4'],
  ['attention', '"attention": "exact"', '"attention": "favor"', 'run.json has attention {"numFeatures":256,'],
  [
    'tokenizer',
    '"type": "bytes"',
    '"type": "characters"',
    'run.json has tokenizer.type "characters", but the run was trained with "bytes"',
  ],
  ['learningRate', '"learningRate": 0.001', '"learningRate": 0.5', 'run.json has learningRate 0.5'],
  [
    'maxLength',
    '"numLayers": 1',
    '"maxLength": 99, "numLayers": 1',
    'run.json has maxLength 99, but the run was trained with 16',
  ],
  ['numLayers, which is left out,', /"numLayers": 1,\s*/, '', 'run.json has numLayers'],
])('%s in run.json', (_, from, to, message) => {
  refuses(message, (copy) => edit(join(copy, 'run.json'), from, to));
});

/** An edit of every key that run.json may have, and what must come of it: a refusal, or an effect on the run. */
const edits: Record<keyof RunConfiguration, [value: unknown, outcome: RegExp | ((run: Run) => unknown)][]> = {
  from: [['whole', /run.json has from "whole", but the run was trained with unset/]],
  data: [
    [['classes/cat/1.txt', 'classes/snow/1.txt', 'classes/cat/2.txt', 'classes/snow/2.txt'], /trained on other data/],
    [['nowhere.txt'], /nowhere.txt/],
  ],
  dataset: [[{ format: 'jsonl' }, /json/i]],
  split: [[{ by: 'document', fraction: 0.4 }, /trained on other data/]],
  tokenizer: [
    [{ type: 'bytes', mask: true }, /run.json has tokenizer.mask true, but the run was trained with unset/],
    [{ type: 'bpe', vocabSize: 300 }, /run.json has tokenizer.type "bpe", but the run was trained with "bytes"/],
  ],
  model: [
    [{ vocabSize: 50 }, /run.json has model.vocabSize 50, but the run was trained with unset/],
    [{ numClasses: 7 }, /run.json has model.numClasses 7/],
    [{ dropout: 0.5 }, /run.json has dropout 0.5/],
  ],
  training: Object.entries(otherTraining).map(([key, value]) => [
    { [key]: value },
    // A teacher does not go together with classes.
    key === 'distillation'
      ? /distillation/
      : key === 'steps'
        ? (run: Run) => run.configuration.training.steps
        : new RegExp(`run.json has ${key} `),
  ]),
  evaluationBatches: [[1, (run: Run) => run.configuration.evaluationBatches]],
};

test.each(Object.entries(edits))('an edit of %s in run.json is refused or has an effect', async (key, all) => {
  expect(Object.keys(edits)).toEqual(Object.keys(runSchema.shape));
  const backend = await createBackend({ backend: 'reference' });
  const path = at('edited', 'run.json');
  for (const [value, outcome] of all) {
    rmSync(at('edited'), { recursive: true, force: true });
    cpSync(at('whole'), at('edited'), { recursive: true });
    const before = JSON.parse(readFileSync(path, 'utf8'));
    const inFolder = key === 'data' ? (value as string[]).map((name) => at(name)) : value;
    const isPart = key === 'training' || key === 'model';
    const edited = isPart ? { ...before[key], ...(value as object) } : inFolder;
    writeFileSync(path, JSON.stringify({ ...before, [key]: edited }));
    const resumed = async () => {
      const run = await resumeRun(backend, at('edited'));
      const ended = typeof outcome === 'function' || finishRun(run, 'edited', new AbortController().signal);
      await Promise.resolve(ended).finally(() => run.corpus.store.close());
      run.lock.release();
      return run;
    };
    if (typeof outcome !== 'function') await expect(resumed(), JSON.stringify(value)).rejects.toThrow(outcome);
    else expect(outcome(await resumed())).toBe(key === 'training' ? Object.values(value as object)[0] : value);
  }
  backend.close();
});

test('steps of run.json count, and --steps is written there', () => {
  cpSync(at('whole'), at('longer'), { recursive: true });
  const path = at('longer', 'run.json');
  edit(path, '"steps": 2', '"steps": 3');
  const stepOf = (...flags: string[]) =>
    JSON.parse(run('train', '--resume', '--out', 'longer', '--threads', '1', '--json', ...flags).stdout).step;
  expect(stepOf()).toBe(3);
  expect(stepOf('--steps', '4')).toBe(4);
  expect(JSON.parse(readFileSync(path, 'utf8')).training.steps).toBe(4);
});

test('a run that is refused leaves nothing, and takes nothing away', () => {
  writeFileSync(at('short.txt'), 'short');
  const flags = ['--tokenizer', 'bytes', '--config', 'tiny.json', '--length', '64'];
  fails('give more text or shorten the window', 'train', '--data', 'short.txt', ...flags, '--out', 'refused');
  expect(existsSync(at('refused'))).toBe(false);
  mkdirSync(at('kept'));
  writeFileSync(at('kept', 'note.txt'), 'mine');
  fails('give more text or shorten the window', 'train', '--data', 'short.txt', ...flags, '--out', 'kept');
  expect(readdirSync(at('kept'))).toEqual(['note.txt']);
});

test('another tokenizer', () => {
  refuses('tokenizer.json', (copy) => {
    const path = join(copy, 'checkpoints/step-00000002/tokenizer.json');
    edit(path, /\}\s*$/, ' }\n');
  });
});

test.each([
  ['vocabSize', 50, 'Key "model.vocabSize" is 50, but 257 follows from the tokenizer: leave the key out.'],
  ['numClasses', 5, 'Key "model.numClasses" is 5, but 2 follows from the classes of the data: leave the key out.'],
  [
    'maxLength',
    8,
    'Key "model.maxLength" is 8, below the 512 tokens of a window: raise it, or shorten the windows with --length.',
  ],
])('a %s that does not follow from the data, or is too small', (key, value, message) => {
  writeFileSync(at('other.json'), JSON.stringify({ model: { ...model, [key]: value } }));
  const flags = ['--tokenizer', 'bytes', '--objective', 'classification', '--config', 'other.json', '--out', 'other'];
  fails(message, 'train', '--data', 'classes/*/*.txt', ...flags);
});
