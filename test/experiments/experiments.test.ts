/** Every experiment in small, its numbers against closed forms and against what must hold whatever the draw. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelOptions, spreadWindow } from '../../experiments/contests/trained-model.ts';
import { fig2Schema } from '../../experiments/fig2/configuration.ts';
import { run as runFig2 } from '../../experiments/fig2/run.ts';
import { fig4Schema } from '../../experiments/fig4/configuration.ts';
import { run as runFig4 } from '../../experiments/fig4/run.ts';
import { fig14Schema } from '../../experiments/fig14/configuration.ts';
import { errorsByDepth, run as runFig14 } from '../../experiments/fig14/run.ts';
import { experiments } from '../../experiments/index.ts';
import { kernelEstimates, pairVectors } from '../../experiments/kernel-estimates.ts';
import { mean, standardError } from '../../experiments/results/statistics.ts';
import { theoremsSchema } from '../../experiments/theorems/configuration.ts';
import { run as runTheorems } from '../../experiments/theorems/run.ts';
import { fromTexts } from '../../src/entries/data.ts';
import { type Pair, softmaxKernel } from '../../src/entries/inspect.ts';
import { type Backend, createBackend, Transformer, tensor } from '../../src/entries/performers.ts';
import { ByteTokenizer } from '../../src/entries/tokenizers.ts';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend({ backend: 'reference' });
});
afterAll(() => backend.close());

const steps: number[] = [];
const context = () => ({
  backend,
  directory: 'unused',
  signal: new AbortController().signal,
  progress: (done: number) => steps.push(done),
});

const tinyModel = {
  dModel: 6,
  numLayers: 2,
  numHeads: 1,
  dFeedForward: 7,
  length: 11,
  batchSize: 2,
  steps: 2,
  learningRate: 0.003,
  maxCharacters: 3000,
  seed: 1,
};

/** Settings that run in a second. */
const tiny = {
  fig2: {
    dHead: 5,
    numDirections: 5,
    draws: 2000,
    gridAngles: 4,
    gridLengths: 3,
    maxLength: 2,
    sliceLength: 1,
    sliceAngles: 6,
    maxRelativeError: 0.1,
    seed: 2,
  },
  fig4: {
    gaussian: { deviations: [0.5], length: 31, dHead: 4, numDirections: [4, 128], draws: 6 },
    trained: { numDirections: [8], draws: 2 },
    model: tinyModel,
    seed: 4,
  },
  fig14: {
    numFeatures: [6, 192],
    draws: 3,
    random: { numLayers: 3, seed: 7 },
    trained: tinyModel,
    seed: 5,
  },
  theorems: {
    regularised: { dHeads: [3, 27, 343], squaredSums: [0.5, 1.5], measuredUpTo: 3, numFeatures: 6000 },
    orthogonal: { dHeads: [3, 5], squaredSums: [0.5], squaredDifference: 0.3, directions: 30_000 },
    uniform: {
      dHeads: [2],
      lengths: [16, 64],
      radius: 0.7,
      error: 0.3,
      maxDirections: 1024,
      draws: 3,
    },
    seed: 3,
  },
};

describe('kernel estimates', () => {
  it('are unbiased for every map, and independent from draw to draw', async () => {
    const pairs: Pair[] = [
      { dHead: 3, squaredSum: 0.7, squaredDifference: 0.2 },
      { dHead: 3, squaredSum: 0.1, squaredDifference: 0.9 },
    ];
    const { x, y } = pairVectors(pairs);
    const options = { numDirections: 3, draws: 4000, dHead: 3, seed: 5, signal: new AbortController().signal };
    for (const featureMap of ['positive', 'hyperbolic', 'trigonometric', { type: 'favor++', p: 0.3 }] as const) {
      const estimates = await kernelEstimates(backend, x, y, { ...options, features: { featureMap } });
      estimates.forEach((values, i) => {
        // 4,000 draws, 8 means within 5.5 standard errors: failure below 1e-6.
        const deviation = (mean(values) - softmaxKernel(pairs[i])) / standardError(values);
        expect(Math.abs(deviation)).toBeLessThan(5.5);
        // The correlation of neighbours has deviation 1/√4000.
        const centre = mean(values);
        let [product, square] = [0, 0];
        for (let d = 1; d < values.length; d++) product += (values[d] - centre) * (values[d - 1] - centre);
        for (const value of values) square += (value - centre) ** 2;
        expect(Math.abs(product / square)).toBeLessThan(5.5 / Math.sqrt(4000));
      });
    }
  });
});

describe('figure 2', () => {
  it('measures the closed form', async () => {
    const configuration = fig2Schema.parse(tiny.fig2);
    const { grid, slice, agreement } = await runFig2(configuration, context());
    expect([grid.length, slice.length]).toEqual([12, 6]);
    // r at an angle φ and length l, as the paper writes it (section 3, Figure 2).
    for (const { angle, length, closedForm } of [...grid, ...slice]) {
      const square = 2 * length ** 2;
      const expected =
        ((Math.exp(-2 * square * Math.cos(angle)) / 2) * (1 - Math.exp(-square * (1 - Math.cos(angle)))) ** 2) /
        (1 - Math.exp(-square * (1 + Math.cos(angle))));
      expect(closedForm / expected).toBeCloseTo(1, 8);
    }
    // At a relative standard error below 0.1 a logarithm is about normal: ten means within 6 errors fail below 1e-6.
    expect(agreement.points).toBeGreaterThan(6);
    expect(agreement.worst).toBeLessThan(6);
    expect(grid.some(({ measured }) => !measured)).toBe(true);
  });
});

describe('figure 4', () => {
  it('gives every line at every m, and says which is better', async () => {
    const configuration = fig4Schema.parse(tiny.fig4);
    const { gaussian, trained } = await runFig4(configuration, context());
    const [numbers] = gaussian;
    for (const { name, errors } of numbers.lines) {
      expect(errors.map(({ numDirections }) => numDirections)).toEqual([4, 128]);
      for (const { error } of errors) {
        expect(error.low, name).toBeLessThanOrEqual(error.mean);
        expect(error.high, name).toBeGreaterThanOrEqual(error.mean);
      }
      // 32 times the directions: a 32nd of the error, give or take much for six draws.
      expect(errors[1].error.mean, name).toBeLessThan(errors[0].error.mean / 3);
    }
    expect(new Set(numbers.lines.map(({ errors }) => errors[0].error.mean)).size).toBe(numbers.lines.length);
    for (const { worse, better, ratios, overall, holds } of numbers.comparisons) {
      const of = (wanted: string) => numbers.lines.find(({ name }) => name === wanted)?.errors ?? [];
      ratios.forEach(({ ratio }, i) => {
        expect(ratio.mean).toBeCloseTo(of(worse)[i].error.mean / of(better)[i].error.mean, 6);
      });
      expect(holds).toBe(overall.low > 1);
    }
    for (const { errors } of trained.lines) expect(errors[0].error.mean).toBeGreaterThan(0);
    expect(trained.bitsPerCharacter).toBeGreaterThan(4);
    expect(trained.bitsPerCharacter).toBeLessThan(9);
  });
});

describe('figure 14', () => {
  it('has one error per layer, smaller with more features', async () => {
    const configuration = fig14Schema.parse(tiny.fig14);
    const { random, trained } = await runFig14(configuration, context());
    expect(random.map(({ errors }) => errors.length)).toEqual([3, 3]);
    expect(trained.map(({ errors }) => errors.length)).toEqual([2, 2]);
    // Error of the whole model by hand: a Performer that started from the same parameters.
    const options = { ...modelOptions(configuration.trained), numLayers: 2 };
    const exact = new Transformer(backend, options, 3);
    const performer = new Transformer(backend, { ...options, attention: { type: 'favor', numFeatures: 6 } }, 3);
    const ids = Array.from({ length: 50 }, (_, i) => (i * 37) % 256);
    const { heldOut } = await fromTexts([String.fromCharCode(...ids.map((id) => id % 128))], new ByteTokenizer(), {
      by: 'tail',
      fraction: 0.8,
    });
    const [{ errors }] = await errorsByDepth(exact, heldOut, configuration, context(), 'test');
    const byHand: number[] = [];
    for (let draw = 0; draw < 3; draw++) {
      const window = await spreadWindow(heldOut, 11, draw, 3);
      performer.redraw(configuration.seed, draw);
      const [h, estimate] = [exact, performer].map((model) => model.forward(tensor(backend, window, [1, 11])));
      const [a, b] = [await h.data(), await estimate.data()];
      byHand.push(Math.hypot(...a.map((value, i) => value - b[i])) / Math.hypot(...a));
    }
    expect(errors[1].mean).toBeCloseTo(mean(byHand), 9);
    for (const [few, many] of [random, trained]) {
      for (const [layer, { mean }] of few.errors.entries()) {
        expect(mean).toBeGreaterThan(0);
        expect(many.errors[layer].mean).toBeLessThan(mean);
      }
    }
  });
});

describe('theorems', () => {
  it('hold, and are measured as their closed forms say', async () => {
    const configuration = theoremsSchema.parse(tiny.theorems);
    const { regularised, orthogonal, uniform } = await runTheorems(configuration, context());
    for (const { dHead, squaredSum, ratio, bound, measured } of regularised.points) {
      expect(bound).toBeCloseTo(1 - 2 / dHead ** (1 / 3), 12);
      expect(ratio).toBeLessThanOrEqual(1);
      expect(ratio).toBeGreaterThanOrEqual(bound);
      // The expansion in 1/d: log(SMREG/SM) = −‖z‖⁴/(4(d + 2)) + O(d⁻²).
      if (dHead > 300) expect(Math.log(ratio) / (-(squaredSum ** 2) / (4 * (dHead + 2)))).toBeCloseTo(1, 1);
      // 2,000 draws, two of them within 5.5 standard errors: failure below 1e-6.
      if (measured)
        expect(Math.abs(measured.mean - ratio)).toBeLessThan((5.5 / 1.96) * (measured.high - measured.mean));
    }
    // d = 27: the bound 1/3 is passed where the closed form says so.
    const reach = regularised.reach.find(({ dHead }) => dHead === 27)?.squaredSum ?? Number.NaN;
    expect(reach).toBeGreaterThan(1.5);
    for (const { independent, orthogonal: structured, bound, gain } of orthogonal) {
      expect(structured.closedForm).toBeLessThanOrEqual(bound);
      expect(bound).toBeLessThan(independent.closedForm);
      expect(gain.closedForm).toBeGreaterThanOrEqual(1);
      for (const { closedForm, measured } of [independent, structured]) {
        // 10,000 and 6,000 squared errors; four means within 7 of their standard errors, for skewness's sake.
        expect(Math.abs(measured.mean - closedForm)).toBeLessThan((7 / 1.96) * (measured.high - measured.mean));
      }
    }
    const [{ needed, supremum }] = uniform;
    const [few, many] = needed.map(({ directions }) => directions?.mean ?? Number.NaN);
    expect(few).toBeLessThanOrEqual(many);
    expect(many).toBeLessThanOrEqual(supremum?.mean ?? Number.NaN);
  });
});

describe('every experiment', () => {
  it('reports progress from 0 to 1, never backwards within a part', () => {
    expect(steps.length).toBeGreaterThan(20);
    for (const done of steps) expect(done).toBeGreaterThanOrEqual(0);
    for (const done of steps) expect(done).toBeLessThanOrEqual(1 + 1e-9);
  });

  it('stops where it is told to', async () => {
    // Those that train stop and continue: see contest.test.ts.
    for (const experiment of experiments.filter(({ name }) => name === 'fig3' || name in tiny)) {
      const controller = new AbortController();
      const progress = () => controller.abort();
      const context = { backend, directory: 'unused', signal: controller.signal, progress };
      const configuration = tiny[experiment.name as keyof typeof tiny];
      await expect(experiment.perform({ configuration }, context), experiment.name).rejects.toThrow(/abort/i);
    }
  });

  it('says in one sentence what is wrong with a configuration', async () => {
    for (const experiment of experiments) {
      await expect(experiment.perform({ configuration: { sed: 1 } }, context())).rejects.toThrow(
        new RegExp(`configuration of ${experiment.name}`),
      );
    }
  });
});
