/**
 * Orthogonal directions beat independent ones, and positive features trigonometric ones, in the error of the attention's output.
 *
 * Two estimators see the same inputs. What counts is the logarithm of the ratio of their squared errors, one number for
 * each draw. A claim holds where the mean of these is more than BOUND = 6 standard errors above 0. An interval of
 * confidence 1 − 2e-9 is then above it. All means are 14 or more above (measured with these seeds): other draws of
 * right code would fail with a probability far below 1e-6. Samples too skewed for that are refused.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spreadWindow, type TrainedModel, trainModel } from '../../experiments/contests/trained-model.ts';
import type { Fig4Numbers } from '../../experiments/fig4/run.ts';
import {
  type Backend,
  createBackend,
  exactAttention,
  type FeatureOptions,
  favorAttention,
  Random,
  scope,
  type Tensor,
  tensor,
} from '../../src/entries/performers.ts';
import { BOUND, deviation, sampleOf } from '../features/statistics.ts';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(() => backend.close());

/** One layer's `[1, heads, length, dHead]`. */
interface Inputs {
  readonly queries: Tensor;
  readonly keys: Tensor;
  readonly values: Tensor;
  readonly causal: boolean;
}

type Estimator = readonly [map: 'positive' | 'trigonometric', projection: 'gaussian' | 'orthogonal'];

/** The same directions for both maps. */
function featuresOf([featureMap, projection]: Estimator, directions: number, seed: number): FeatureOptions {
  return { featureMap, projection, numFeatures: featureMap === 'positive' ? directions : 2 * directions, seed };
}

/** Logarithm of ‖out − exact‖²/‖exact‖², its mean over heads. */
async function logError({ queries, keys, values, causal }: Inputs, features: FeatureOptions): Promise<number> {
  const outputs = scope(() => [
    exactAttention(queries, keys, values, { causal }),
    favorAttention(queries, keys, values, { causal, features }),
  ]);
  const [exact, estimate] = await Promise.all(outputs.map((out) => out.data()));
  for (const out of outputs) out.dispose();
  const heads = queries.shape[1];
  const size = exact.length / heads;
  let sum = 0;
  for (let head = 0; head < heads; head++) {
    let [error, square] = [0, 0];
    for (let i = head * size; i < (head + 1) * size; i++) {
      error += (estimate[i] - exact[i]) ** 2;
      square += exact[i] ** 2;
    }
    sum += Math.log(error / square) / heads;
  }
  return sum;
}

/** For each draw, log(error of `worse`/error of `better`), its mean over the layers. */
async function logRatios(
  worse: Estimator,
  better: Estimator,
  { draws, directions }: { draws: number; directions: number },
  layersOf: (draw: number) => Promise<readonly Inputs[]> | readonly Inputs[],
): Promise<number[]> {
  const ratios: number[] = [];
  for (let draw = 0; draw < draws; draw++) {
    const layers = await layersOf(draw);
    let sum = 0;
    for (const [i, layer] of layers.entries()) {
      const seed = 1000 * i + draw;
      const [of, than] = await Promise.all(
        [worse, better].map((estimator) => logError(layer, featuresOf(estimator, directions, seed))),
      );
      sum += (of - than) / layers.length;
      for (const input of [layer.queries, layer.keys, layer.values]) input.dispose();
    }
    ratios.push(sum);
  }
  return ratios;
}

/** That the first makes larger errors. */
function expectWorse(ratios: readonly number[]): void {
  expect(sampleOf(ratios).mean).toBeGreaterThan(0);
  expect(deviation(ratios, 0)).toBeGreaterThan(BOUND);
}

const claims: readonly (readonly [worse: Estimator, better: Estimator])[] = [
  [
    ['positive', 'gaussian'],
    ['positive', 'orthogonal'],
  ],
  [
    ['trigonometric', 'gaussian'],
    ['trigonometric', 'orthogonal'],
  ],
  [
    ['trigonometric', 'gaussian'],
    ['positive', 'gaussian'],
  ],
  [
    ['trigonometric', 'orthogonal'],
    ['positive', 'orthogonal'],
  ],
];

describe('on normal q, k and v: L = 128, d = 16, 16 directions, 1,000 draws', () => {
  const [dHead, length] = [16, 128];

  it.each(claims)('%s is worse than %s', async (worse, better) => {
    // Orthogonal directions gain most where q and k are short, positive features where they are long (Figures 2 and 4).
    const deviationOfInputs = worse[0] === better[0] ? 0.3 : 1;
    const ratios = await logRatios(worse, better, { draws: 1000, directions: dHead }, (draw) => {
      const random = new Random(11, draw);
      const normal = (scale: number) => {
        const numbers = Float32Array.from({ length: length * dHead }, () => scale * random.normal());
        return tensor(backend, numbers, [1, 1, length, dHead]);
      };
      return [
        { queries: normal(deviationOfInputs), keys: normal(deviationOfInputs), values: normal(1), causal: false },
      ];
    });
    expectWorse(ratios);
  });
});

describe('on the q, k and v of a model trained here: L = 64, d = 16, 16 directions, 800 draws', () => {
  const length = 64;
  const draws = 800;
  let trained: TrainedModel;
  beforeAll(async () => {
    const sizes = { dModel: 32, numLayers: 2, numHeads: 2, dFeedForward: 64, length };
    const configuration = { ...sizes, batchSize: 4, steps: 250, learningRate: 0.003, seed: 1 };
    const signal = new AbortController().signal;
    trained = await trainModel(configuration, { backend, directory: 'unused', signal, progress: () => {} });
  });
  afterAll(() => trained.model.dispose());

  it('the model has learnt: bytes cost it 8 bits before', () => {
    expect(trained.bitsPerCharacter).toBeLessThan(4.5);
  });

  it.each(claims)('%s is worse than %s', async (worse, better) => {
    const { model, heldOut } = trained;
    // Every draw has a window of its own: 800 of 64 bytes are apart in the tenth of the book that is held out.
    expect(heldOut.length).toBeGreaterThan(draws * length);
    const ratios = await logRatios(worse, better, { draws, directions: 16 }, async (draw) => {
      const ids = await spreadWindow(heldOut, length, draw, draws);
      const inputs = scope(() => model.attentionInputs(tensor(backend, ids, [1, length])).flatMap(Object.values));
      return model.attentions.map((_, layer): Inputs => {
        const [queries, keys, values] = inputs.slice(3 * layer) as Tensor[];
        return { queries, keys, values, causal: true };
      });
    });
    expectWorse(ratios);
  });
});

it('the committed Figure 4 (L = 4096, 95 % intervals) says so too of positive features', () => {
  const file = new URL('../../experiments/fig4/result.json', import.meta.url);
  const { gaussian, trained }: Fig4Numbers = JSON.parse(readFileSync(file, 'utf8')).numbers;
  const lowest = (inputs: Fig4Numbers['trained'] | Fig4Numbers['gaussian'][number], worse: string, better: string) =>
    inputs.comparisons.find((found) => found.worse === worse && found.better === better)?.overall.low;
  for (const inputs of [...gaussian.filter((found) => found.deviation === 0.7), trained]) {
    expect(lowest(inputs, 'positive, independent', 'positive, orthogonal')).toBeGreaterThan(1);
  }
  for (const inputs of [...gaussian, trained]) {
    for (const directions of ['independent', 'orthogonal']) {
      const low = lowest(inputs, `trigonometric, ${directions}`, `positive, ${directions}`);
      expect(low).toBeGreaterThan(1);
    }
  }
});
