import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsIn } from './performers.ts';

const directory = mkdtempSync(join(tmpdir(), 'performers-objectives-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const model = { dModel: 12, numLayers: 1, numHeads: 3, dFeedForward: 16, attention: { type: 'favor', numFeatures: 8 } };
const flags = ['--batch-size', '2', '--length', '24', '--tokenizer', 'bytes', '--config', 'tiny.json', '--steps', '4'];

const { run, fails } = commandsIn(directory);
const config = (out: string) =>
  JSON.parse(readFileSync(join(directory, out, 'checkpoints/step-00000004/config.json'), 'utf8'));
const steps = (out: string) =>
  readFileSync(join(directory, out, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { step: number; loss?: number });

beforeAll(() => {
  for (const [folder, word] of [
    ['cold', 'snow '],
    ['warm', 'sand '],
  ]) {
    mkdirSync(join(directory, folder));
    for (let i = 0; i < 20; i++) writeFileSync(join(directory, folder, `${i}.txt`), word.repeat(2 + (i % 5)));
  }
  writeFileSync(join(directory, 'tiny.json'), JSON.stringify({ model }));
});

/** `flags` but for options that a test gives itself: an option given twice is refused. */
const flagsWithout = (...names: string[]) =>
  flags.filter((flag, i) => !names.includes(flag) && !names.includes(flags[i - 1]));

describe('performers train --objective', () => {
  it('masked-token: trains, resumes and evaluates', () => {
    const out = 'masked';
    const objective = ['--objective', 'masked-token', '--packing', 'pack'];
    const { stderr } = run('train', '--data', 'cold/*.txt', 'warm/*.txt', '--out', out, ...flags, ...objective);
    expect(stderr).toMatch(/held out: perplexity [\d.]+, masked-token accuracy [\d.]+ %/);
    expect(stderr).not.toContain('character');
    // 256 bytes, the mask and the end of a text.
    expect(config(out)).toMatchObject({ causal: false, vocabSize: 258 });
    run('train', '--resume', '--out', out, '--steps', '6');
    run(
      'train',
      '--data',
      'cold/*.txt',
      'warm/*.txt',
      '--out',
      `${out}-whole`,
      ...flagsWithout('--steps'),
      ...objective,
      '--steps',
      '6',
    );
    const losses = (name: string) =>
      steps(name).flatMap(({ step, loss }) => (loss === undefined ? [] : [[step, loss]]));
    expect(losses(out)).toEqual(losses(`${out}-whole`));
    const { stdout } = run('evaluate', '--model', out, '--data', 'cold/3.txt', 'warm/4.txt', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ objective: 'maskedToken' });
    fails('bidirectional', 'generate', '--model', out, '--prompt', 'snow');
  });

  it('next-token over packed documents', () => {
    const { stderr } = run(
      'train',
      '--data',
      'cold/*.txt',
      'warm/*.txt',
      '--out',
      'packed',
      ...flags,
      '--packing',
      'pack',
    );
    expect(stderr).toMatch(/held out: perplexity [\d.]+, next-token accuracy/);
    expect(config('packed').causal).toBe(true);
  });

  it('classification: a class for every folder, and held-out files of each', () => {
    const data = ['--data', 'cold/*.txt', 'warm/*.txt'];
    const options = [
      '--objective',
      'classification',
      '--held-out',
      '0.3',
      '--learning-rate',
      '0.02',
      '--batch-size',
      '8',
    ];
    const { stderr } = run(
      'train',
      ...data,
      '--out',
      'classes',
      ...flagsWithout('--batch-size', '--learning-rate', '--steps'),
      ...options,
      '--steps',
      '40',
    );
    const accuracy = /held out: class accuracy ([\d.]+) %/.exec(stderr)?.[1];
    // Every word tells the class.
    expect(Number(accuracy), stderr).toBe(100);
    const { stdout } = run('evaluate', '--model', 'classes', ...data, '--length', '24');
    expect(stdout).toMatch(/class accuracy 100\.0 %/);
    expect(JSON.parse(readFileSync(join(directory, 'classes/run.json'), 'utf8')).split.by).toBe('document');
    writeFileSync(join(directory, 'lines.json'), JSON.stringify({ model, dataset: { documents: 'line' } }));
    const lines = flagsWithout('--batch-size', '--learning-rate').map((flag) =>
      flag === 'tiny.json' ? 'lines.json' : flag,
    );
    fails(
      'Classification takes text files, one document each',
      'train',
      ...data,
      '--out',
      'lines',
      ...lines,
      ...options,
    );
    fails(
      'All files are in a folder "cold"',
      'train',
      '--data',
      'cold/*.txt',
      '--out',
      'one',
      ...flagsWithout('--batch-size', '--learning-rate'),
      ...options,
    );
  });

  it('refuses a model that cannot learn it', () => {
    const out = ['--data', 'cold/*.txt', '--out', 'refused'];
    writeFileSync(join(directory, 'causal.json'), JSON.stringify({ model: { ...model, causal: true } }));
    const causal = [
      ...flags.map((flag) => (flag === 'tiny.json' ? 'causal.json' : flag)),
      '--objective',
      'masked-token',
    ];
    fails('Objective maskedToken needs a bidirectional model: set "causal": false', 'train', ...out, ...causal);
    writeFileSync(join(directory, 'both.json'), JSON.stringify({ model: { ...model, causal: false } }));
    const both = flags.map((flag) => (flag === 'tiny.json' ? 'both.json' : flag));
    fails('Objective nextToken needs a causal model', 'train', ...out, ...both);
  });
});
