/** Contests resume to the same numbers, keep what is finished, and survive a contestant that diverges. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Contest, type Contestant, contestantDirectory, holdContest } from '../../experiments/contests/contest.ts';
import { evaluationWindows, fromTexts, trainingWindows } from '../../src/entries/data.ts';
import { type Backend, createBackend } from '../../src/entries/performers.ts';
import { ByteTokenizer } from '../../src/entries/tokenizers.ts';
import { parseTrainingConfiguration } from '../../src/entries/training.ts';

let backend: Backend;
let directory: string;
let contest: Contest;
beforeAll(async () => {
  backend = await createBackend({ backend: 'reference' });
});
afterAll(() => backend.close());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'contest-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const training = {
  steps: 4,
  batchSize: 2,
  length: 7,
  learningRate: 0.01,
  evaluateEvery: 2,
  checkpointEvery: 1,
  seed: 3,
};

beforeAll(async () => {
  const store = await fromTexts(['the cat sat on the mat. '.repeat(9)], new ByteTokenizer(), {
    by: 'tail',
    fraction: 0.3,
  });
  const heldOut = { batches: () => evaluationWindows(store.heldOut, { batchSize: 2, length: 7 }).batches() };
  const data: Contest['data'] = ({ batchSize, length, seed }) =>
    trainingWindows(store.train, { batchSize, length, seed });
  contest = { training, data, fingerprint: 'cats', validation: heldOut, tests: { test: heldOut } };
});

const model = (type: 'exact' | 'favor'): Contestant['model'] => ({
  vocabSize: 256,
  dModel: 8,
  numLayers: 1,
  numHeads: 2,
  dFeedForward: 9,
  maxLength: 7,
  dropout: 0.1,
  attention: type === 'favor' ? { type, numFeatures: 5 } : { type },
});
const contestants: Contestant[] = [
  { name: 'Transformer', model: model('exact') },
  { name: 'Performer (softmax)', model: model('favor') },
];

const context = (into = directory, signal = new AbortController().signal) => {
  const seen: string[] = [];
  const progress = (_done: number, what: string) => void seen.push(what);
  return { seen, context: { backend, directory: into, signal, progress } };
};

/** Without what a clock says. */
const values = (outcomes: Awaited<ReturnType<typeof holdContest>>) =>
  outcomes.map(({ tokensPerSecond: _, stepsPerSecond: __, ...rest }) => rest);

describe('a contest', () => {
  test('gives each contestant its curve and its scores, the last point being that of the tests', async () => {
    const outcomes = await holdContest(contestants, contest, context().context);
    expect(outcomes.map(({ name }) => name)).toEqual(['Transformer', 'Performer (softmax)']);
    for (const { curve, tests } of outcomes) {
      expect(curve.map(({ step }) => step)).toEqual([2, 4]);
      expect(curve[1]).toEqual({ step: 4, ...tests.test });
      expect(curve[1]!.loss).toBeLessThan(curve[0]!.loss);
    }
    expect(outcomes[0]!.tests.test!.loss).not.toBe(outcomes[1]!.tests.test!.loss);
  });

  test('interrupted at any step, continues to the same numbers', async () => {
    const whole = values(await holdContest(contestants, contest, context(join(directory, 'whole')).context));
    for (const after of [1, 3, 6]) {
      const controller = new AbortController();
      const into = join(directory, `cut-${after}`);
      let steps = 0;
      const progress = (_done: number, what: string) => {
        if (what.includes('loss') && ++steps === after) controller.abort();
      };
      const cut = { backend, directory: into, signal: controller.signal, progress };
      await expect(holdContest(contestants, contest, cut)).rejects.toThrow();
      const { seen, context: again } = context(into);
      expect(values(await holdContest(contestants, contest, again))).toEqual(whole);
      expect(seen.filter((what) => what.includes('loss'))).toHaveLength(8 - after);
    }
  });

  test('reads finished contestants, but not those of another configuration', async () => {
    await holdContest(contestants, contest, context().context);
    const { seen, context: again } = context();
    await holdContest(contestants, contest, again);
    expect(seen).toEqual([]);
    await holdContest(contestants.slice(0, 1), { ...contest, fingerprint: 'dogs' }, again);
    expect(seen.length).toBeGreaterThan(0);
    expect(readdirSync(directory)).toHaveLength(3);
  });

  test('of several runs is the mean of contests with these seeds, each kept and resumed', async () => {
    const run = (seed: number) =>
      holdContest(
        contestants,
        { ...contest, training: { ...training, seed } },
        context(join(directory, `${seed}`)).context,
      );
    const alone = [await run(3), await run(4), await run(5)];
    const together = await holdContest(
      contestants,
      { ...contest, numRuns: 3 },
      context(join(directory, 'all')).context,
    );
    for (const [i, { curve, tests, runs }] of together.entries()) {
      expect(runs).toEqual(alone.map((outcomes) => outcomes[i]!.tests));
      const losses = alone.map((outcomes) => outcomes[i]!.tests.test!.loss);
      expect(new Set(losses).size).toBe(3);
      expect(tests.test!.loss).toBeCloseTo(losses.reduce((sum, loss) => sum + loss) / 3, 12);
      expect(curve.map(({ step }) => step)).toEqual([2, 4]);
      expect(curve[1]!.loss).toBeCloseTo(tests.test!.loss, 12);
    }
    const { seen, context: again } = context(join(directory, 'all'));
    expect(values(await holdContest(contestants, { ...contest, numRuns: 3 }, again))).toEqual(values(together));
    expect(seen).toEqual([]);
  });

  test('begins with the weights of another run, under an attention of its own', async () => {
    const configuration = parseTrainingConfiguration(training);
    const { context: here } = context();
    const [teacher] = await holdContest(contestants.slice(0, 1), contest, here);
    const still = { ...contest, training: { ...training, learningRate: 1e-12 } };
    const start = () => contestantDirectory(contestants[0]!, configuration, contest, here);
    const [exact, favor, fresh] = await holdContest(
      [{ ...contestants[0]!, start }, { ...contestants[1]!, start }, contestants[0]!],
      still,
      here,
    );
    // Steps of 1e-12 leave the weights as they were.
    expect(exact!.tests.test!.loss).toBeCloseTo(teacher!.tests.test!.loss, 6);
    const differences = [favor, fresh].map((one) => Math.abs(one!.tests.test!.loss - teacher!.tests.test!.loss));
    expect(Math.min(...differences)).toBeGreaterThan(1e-6);
    expect(differences[0]).toBeLessThan(differences[1]!);
    // A start is part of what determines a result.
    expect(readdirSync(directory)).toHaveLength(4);
  });

  test('continues when a contestant diverges, and says why', async () => {
    const hot = { ...contest, training: { ...training, learningRate: 1e200, clip: null } };
    const [outcome] = await holdContest(contestants.slice(0, 1), hot, context().context);
    expect(outcome!.failure).toMatch(/^The (loss|gradient) is /);
    expect(outcome!.tests).toEqual({});
  });
});
