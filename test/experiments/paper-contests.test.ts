/** The experiments that train, on data made here: their numbers are what a contest by hand gives, and they resume. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClassificationNumbers } from '../../experiments/contests/classification-contest.ts';
import type { Fig5Numbers } from '../../experiments/fig5-pg19/run.ts';
import type { Fig6Numbers } from '../../experiments/fig6-proteins/run.ts';
import type { Fig7Numbers } from '../../experiments/fig7-images/run.ts';
import type { Fig16Numbers } from '../../experiments/fig16-kernels/run.ts';
import { experiments } from '../../experiments/index.ts';
import type { RecallNumbers } from '../../experiments/recall/run.ts';
import { readProteins } from '../../experiments/sources/proteins.ts';
import { type Backend, createBackend, Random } from '../../src/entries/performers.ts';

let backend: Backend;
const directory = mkdtempSync(join(tmpdir(), 'performers-contests-'));
const at = (name: string) => join(directory, name);

const residues = 'ACDEFGHIKLMNPQRSTVWY';
const organisms = ['Mus', 'Homo', 'Zea', 'Rana', 'Pan', 'Bos', 'Sus'];

beforeAll(async () => {
  backend = await createBackend({ backend: 'reference' });
  const random = new Random(7);
  // A third of all residues is leucine: the baseline's accuracy is known.
  const sequence = (length: number) =>
    Array.from({ length }, (_, i) => (i % 3 === 0 ? 'L' : residues[random.integer(20)])).join('');
  const fasta = Array.from(
    { length: 90 },
    (_, i) => `>sp|Q${10_000 + i}|P${i}_X protein OS=${organisms[i % 7]} OX=${i % 7}\n${sequence(40 + (i % 11))}\n`,
  );
  writeFileSync(at('proteins.fasta'), fasta.join(''));
  mkdirSync(at('books'));
  for (const [i, word] of ['whale', 'moor', 'tower', 'river', 'garden'].entries()) {
    writeFileSync(at(`books/${i}.txt`), `The ${word} was dark, and the ${word} was deep. `.repeat(40));
  }
  mkdirSync(at('images'));
  for (let i = 0; i < 8; i++) {
    const create = { width: 6, height: 6, channels: 3, background: { r: 30 * i, g: 200, b: 255 - 30 * i } } as const;
    await sharp({ create })
      .png()
      .toFile(at(`images/${i}.png`));
  }
});
afterAll(() => {
  backend.close();
  rmSync(directory, { recursive: true });
});

const sizes = { dModel: 8, numLayers: 1, numHeads: 2, dFeedForward: 9, dropout: 0 };
const training = {
  steps: 4,
  batchSize: 2,
  length: 24,
  learningRate: 0.01,
  warmupSteps: 1,
  evaluateEvery: 2,
  evaluationBatches: 2,
  testBatches: 3,
  seed: 1,
};
const { length: _, ...imageTraining } = training;
const favor = { type: 'favor', numFeatures: 6 };
const proteins = { data: at('proteins.fasta'), split: { organisms: 0.3, records: 0.2, seed: 3 } };
const exact = { name: 'Transformer', attention: { type: 'exact' } };

/** Settings that run in a second. */
const tiny: Record<string, Record<string, unknown>> = {
  'fig5-pg19': {
    data: at('books'),
    heldOut: 0.3,
    vocabSize: 300,
    seed: 1,
    model: { ...sizes, positions: 'rotary' },
    panels: [
      {
        title: 'next token',
        direction: 'U',
        training: { ...training, numRuns: 2 },
        positionEnds: [5, 24],
        contestants: [
          exact,
          { name: 'redrawn', attention: { ...favor, redrawInterval: 2 } },
          { name: 'never redrawn', attention: { ...favor, redrawInterval: 0 } },
          { name: 'near field', attention: { ...favor, redrawInterval: 0, nearField: { block: 24 } } },
        ],
      },
      {
        title: 'hidden tokens',
        direction: 'B',
        training,
        positionEnds: [],
        contestants: [exact, { name: 'Linformer', attention: { type: 'linformer', projectedLength: 5 } }],
      },
    ],
  },
  'fig6-proteins': {
    ...proteins,
    model: { ...sizes, positions: 'rotary' },
    training: { ...training, testBatches: 6 },
    contestants: [
      { ...exact, directions: ['U', 'B'] },
      { name: 'Reformer', attention: { type: 'lsh', chunkLength: 4, numHashes: 2 }, directions: ['U', 'B'] },
      { name: 'Linformer', attention: { type: 'linformer', projectedLength: 5 }, directions: ['B'] },
    ],
  },
  'fig7-images': {
    data: at('images'),
    size: 3,
    heldOut: 3,
    model: { dModel: 8, numHeads: 2, dFeedForward: 9, positions: 'rotary', dropout: 0 },
    training: { ...imageTraining, batchSize: 1 },
    contestants: [
      { name: 'Performer', attention: favor, numLayers: 1 },
      { name: 'Performer', attention: favor, numLayers: 2, reversible: true },
    ],
  },
  'fig16-kernels': {
    ...proteins,
    model: { ...sizes, positions: 'rotary' },
    training,
    kernels: ['relu', 'cos'],
    numFeatures: 6,
    projection: 'orthogonal',
    epsilon: 1e-3,
  },
  'lra-listops': {
    numTraining: 20,
    numTest: 10,
    minLength: 6,
    maxLength: 24,
    maxDepth: 4,
    maxArguments: 4,
    model: { ...sizes, positions: 'learned' },
    training,
    contestants: [exact, { name: 'Linformer', attention: { type: 'linformer', projectedLength: 5 } }],
  },
  'lra-text': {
    data: { type: 'books', folder: at('books'), heldOut: 0.2 },
    model: { ...sizes, positions: 'learned' },
    training,
    contestants: [exact, { name: 'Performer', attention: favor }],
  },
  recall: {
    alphabet: { keys: 5, values: 3 },
    model: { ...sizes, positions: 'rotary' },
    start: { sizes: [{ pairs: 2, length: 8 }], steps: 40, tokens: 64, learningRate: 0.02, warmupSteps: 0 },
    training: {
      ...{ sizes: [{ pairs: 2, length: 10 }], steps: 2, tokens: 20, learningRate: 1e-9, warmupSteps: 0 },
      evaluateEvery: 1,
    },
    contestants: [
      { name: 'FAVOR+', attention: favor },
      { name: 'exact', attention: { type: 'exact' } },
      { name: 'all near', attention: { ...favor, nearField: { block: 16 } } },
    ],
    plugIn: {
      size: { pairs: 2, length: 10 },
      ...{ distance: 4, sequences: 40, draws: 2 },
      attentions: [
        { name: 'exact', attention: { type: 'exact' } },
        { name: 'all near', attention: { ...favor, nearField: { block: 16 } } },
        { name: 'FAVOR+', attention: favor },
      ],
    },
    testTokens: 400,
    testSeed: 9,
    ...{ seed: 1, numRuns: 2 },
  },
};

const signal = new AbortController().signal;

async function perform(name: string, into = name): Promise<unknown> {
  const experiment = experiments.find((one) => one.name === name);
  if (!experiment) throw new Error(`There is no experiment ${name}.`);
  const context = { backend, directory: at(`runs-${into}`), signal, progress: () => {} };
  const { numbers, configuration } = await experiment.perform({ configuration: tiny[name] }, context);
  // Drawing and tables must hold for numbers that come back from JSON.
  const stored = JSON.parse(JSON.stringify(numbers));
  expect(experiment.draw(stored, configuration)).toContain('</svg>');
  expect(experiment.tabulate(stored, configuration)).toMatch(/^\| (model|attention) \|/m);
  return numbers;
}

describe('the experiments that train', () => {
  it('predict proteins in both directions, beside the frequencies of residues', async () => {
    const { U, B, records } = (await perform('fig6-proteins')) as Fig6Numbers;
    expect(U.outcomes.map(({ name }) => name)).toEqual(['Transformer', 'Reformer']);
    expect(B.outcomes.map(({ name }) => name)).toEqual(['Transformer', 'Reformer', 'Linformer']);
    expect(records.train + records.test + records.outOfDistribution).toBe(90);
    for (const [{ outcomes, baseline }, bound] of [
      [U, 0.18],
      [B, 0.44],
    ] as const) {
      // Every third residue is leucine, and a twentieth of the others; the separators take a fiftieth. 288 next and about 43 hidden
      // residues are tested, bounds of six standard deviations: failure below 1e-6.
      expect(Math.abs(baseline.test.accuracy - 0.36)).toBeLessThan(bound);
      for (const { curve, tests } of outcomes) {
        expect(curve.map(({ step }) => step)).toEqual([2, 4]);
        expect(tests.test.loss).not.toBe(tests['out of distribution'].loss);
      }
    }
  });

  it('keep organisms apart, and every record', async () => {
    const { train, test, outOfDistribution, records } = await readProteins(proteins.data, proteins.split);
    // 40 to 50 residues and a separator each.
    for (const [tokens, count] of [
      [train, records.train],
      [test, records.test],
      [outOfDistribution, records.outOfDistribution],
    ] as const) {
      expect(tokens.documents).toHaveLength(count);
      expect(tokens.length / count).toBeGreaterThan(41);
      expect(tokens.length / count).toBeLessThan(52);
    }
    await expect(readProteins(at('none.fasta'), proteins.split)).rejects.toThrow(/does not exist: name a FASTA/);
  });

  it('train eight kernels, normalised or not', async () => {
    const { normalised, unnormalised } = (await perform('fig16-kernels')) as Fig16Numbers;
    expect(normalised.map(({ name }) => name)).toEqual(['relu', 'cos']);
    const losses = [...normalised, ...unnormalised].map(({ tests, failure }) => tests.test?.loss ?? failure);
    expect(new Set(losses).size).toBe(4);
  });

  it('train on books with features redrawn and not, to different ends', async () => {
    const { panels, numBooks } = (await perform('fig5-pg19')) as Fig5Numbers;
    expect(numBooks).toBe(5);
    const [[transformer, redrawn, never, near], hidden] = panels;
    expect(redrawn.curve[0]).toEqual(never.curve[0]);
    expect(redrawn.curve[1]).not.toEqual(never.curve[1]);
    // The near field covers the whole window: it is exact attention.
    expect(near.tests['held out'].loss).toBeCloseTo(transformer.tests['held out'].loss, 6);
    expect(never.tests['held out'].loss).not.toBeCloseTo(transformer.tests['held out'].loss, 6);
    expect(hidden.map(({ name }) => name)).toEqual(['Transformer', 'Linformer']);
    // The losses of ranges of positions, weighted by their lengths, are the loss of all.
    for (const { tests } of panels[0]) {
      const [all, first, second] = ['held out', 'positions 0 to 4', 'positions 5 to 23'].map(
        (test) => tests[test].loss,
      );
      expect((5 * first + 19 * second) / 24).toBeCloseTo(all, 9);
      expect(first).not.toBeCloseTo(second, 3);
    }
  });

  it('predict every value of an image', async () => {
    const { outcomes, numTraining, numHeldOut } = (await perform('fig7-images')) as Fig7Numbers;
    expect([numTraining, numHeldOut]).toEqual([5, 3]);
    expect(outcomes.map(({ name }) => name)).toEqual(['Performer, 1 layers', 'Performer, 2 layers']);
    for (const { tests, tokensPerSecond, stepsPerSecond } of outcomes) {
      expect(tests.test.loss / Math.LN2).toBeLessThan(9);
      // 3 × 3 pixels of three values: all of them are predicted.
      expect(tokensPerSecond / stepsPerSecond).toBeCloseTo(27, 9);
    }
  });

  it('classify expressions and passages', async () => {
    const expressions = (await perform('lra-listops')) as ClassificationNumbers;
    expect([expressions.numTraining, expressions.numTest]).toEqual([20, 10]);
    const passages = (await perform('lra-text')) as ClassificationNumbers;
    expect(passages.numClasses).toBe(5);
    for (const { outcomes, majority } of [expressions, passages]) {
      expect(majority).toBeGreaterThanOrEqual(0.1);
      // Six texts at most are tested.
      for (const { tests } of outcomes) expect((6 * tests.test.accuracy) % 1).toBeCloseTo(0, 9);
    }
  });

  it('recall values from one start, with the state that each attention keeps', async () => {
    const { start, outcomes, states, plugIn } = (await perform('recall')) as RecallNumbers;
    // Two values of three, or the same twice: a model that has learnt which values were seen is right in 2/3 of the cases.
    for (const run of start.runs ?? []) expect(run['2 pairs, 8 tokens']!.accuracy).toBeGreaterThan(0.5);
    const [favor, exact, near] = outcomes;
    // Steps of 1e-9 leave the start as it is, and attention to near keys alone is exact.
    expect(near!.tests).toEqual(exact!.tests);
    for (const run of exact!.runs ?? []) expect(run['2 pairs, 10 tokens']!.accuracy).toBeGreaterThan(0.4);
    expect(exact!.runs).toHaveLength(2);
    expect(favor!.tests).not.toEqual(exact!.tests);
    // Keys and values of the 9 tokens before the last, two heads of 4; sums of 6 features, the rests of sums, and scales.
    const sums = 2 * (2 * 6 * 5 + 6);
    expect(states).toEqual([[sums], [144], [sums + 144]]);
    expect(plugIn.map(({ runs }) => runs.length)).toEqual([2, 2, 2]);
    expect(plugIn[1]!.runs).toEqual(plugIn[0]!.runs);
    expect(plugIn[2]!.runs).not.toEqual(plugIn[0]!.runs);
  });

  it('read what is finished instead of training again', async () => {
    const first = await perform('lra-listops', 'again');
    expect(await perform('lra-listops', 'again')).toEqual(first);
  });
});
