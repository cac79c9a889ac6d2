import { measureP } from '../../src/entries/inspect.ts';
import {
  type Backend,
  exactAttention,
  type FloatArray,
  favorAttention,
  Random,
  scope,
  type Tensor,
  tensor,
} from '../../src/entries/performers.ts';
import { spreadWindow, trainModel } from '../contests/trained-model.ts';
import { type ExperimentContext, numbersOf, pause } from '../experiment.ts';
import { geometricInterval, geometricMean, type Interval, ratioInterval } from '../results/statistics.ts';
import type { Fig4Configuration } from './configuration.ts';
import { estimatorLines, featureOptions } from './estimators.ts';

/** Geometric means over draws, layers and heads, with the interval of the mean logarithm of a draw. */
export interface ErrorLine {
  readonly name: string;
  readonly errors: readonly { readonly numDirections: number; readonly error: Interval }[];
}

/** Error of one estimator over that of another, paired draw by draw. */
export interface Comparison {
  readonly worse: string;
  readonly better: string;
  readonly ratios: readonly { readonly numDirections: number; readonly ratio: Interval }[];
  /** Geometric mean over all numDirections. */
  readonly overall: Interval;
  /** The interval of `overall` is above 1. */
  readonly holds: boolean;
}

export interface InputNumbers {
  readonly lines: readonly ErrorLine[];
  readonly comparisons: readonly Comparison[];
}

export interface Fig4Numbers {
  readonly gaussian: readonly (InputNumbers & { readonly deviation: number })[];
  readonly trained: InputNumbers & { readonly bitsPerCharacter: number; readonly parameters: number };
}

/** One layer's attention. */
interface Inputs {
  readonly queries: Tensor;
  readonly keys: Tensor;
  readonly values: Tensor;
  readonly causal: boolean;
}

/** Figure 4: error of the attention's output against the number of random directions. */
export async function run(configuration: Fig4Configuration, context: ExperimentContext): Promise<Fig4Numbers> {
  const { backend } = context;
  const { gaussian, trained, seed } = configuration;
  const part = (start: number, share: number): ExperimentContext => ({
    ...context,
    progress: (done, what) => context.progress(start + done * share, what),
  });
  const onGaussian: Fig4Numbers['gaussian'][number][] = [];
  for (const [i, deviation] of gaussian.deviations.entries()) {
    const share = 0.4 / gaussian.deviations.length;
    const numbers = await sweep(gaussian, seed + 10_000 * i, part(i * share, share), async (draw) => ({
      layers: [gaussianInputs(backend, gaussian, deviation, new Random(seed + i, draw))],
      relative: false,
    }));
    onGaussian.push({ deviation, ...numbers });
  }
  const { model, heldOut, bitsPerCharacter } = await trainModel(configuration.model, part(0.4, 0.35));
  try {
    const onTrained = await sweep(trained, seed + 1_000_000, part(0.75, 0.25), async (draw) => {
      const ids = await spreadWindow(heldOut, configuration.model.length, draw, trained.draws);
      const layers = scope(() => model.attentionInputs(tensor(backend, ids, [1, ids.length])).flatMap(Object.values));
      const inputs = model.attentions.map((_, layer) => {
        const [queries, keys, values] = layers.slice(3 * layer) as Tensor[];
        return { queries, keys, values, causal: true };
      });
      return { layers: inputs, relative: true };
    });
    return { gaussian: onGaussian, trained: { ...onTrained, bitsPerCharacter, parameters: model.numParameters } };
  } finally {
    model.dispose();
  }
}

function gaussianInputs(
  backend: Backend,
  { length, dHead }: Fig4Configuration['gaussian'],
  deviation: number,
  random: Random,
): Inputs {
  const normal = (scale: number) => {
    const values = Float32Array.from({ length: length * dHead }, () => scale * random.normal());
    return tensor(backend, values, [1, 1, length, dHead]);
  };
  return { queries: normal(deviation), keys: normal(deviation), values: normal(1), causal: false };
}

interface Draw {
  readonly layers: readonly Inputs[];
  /** Divide each head's error by the mean square of its exact output. */
  readonly relative: boolean;
}

async function sweep(
  { numDirections, draws }: { readonly numDirections: readonly number[]; readonly draws: number },
  seed: number,
  { signal, progress }: ExperimentContext,
  inputsOf: (draw: number) => Promise<Draw>,
): Promise<InputNumbers> {
  // [line][m][draw]
  const errors = estimatorLines.map(() => numDirections.map((): number[] => []));
  for (let draw = 0; draw < draws; draw++) {
    const { layers, relative } = await inputsOf(draw);
    try {
      const exact: FloatArray[] = [];
      const ps: number[] = [];
      for (const layer of layers) {
        exact.push(
          await numbersOf(() => exactAttention(layer.queries, layer.keys, layer.values, { causal: layer.causal })),
        );
        ps.push(await pOf(layer));
      }
      for (const [i, line] of estimatorLines.entries()) {
        for (const [j, m] of numDirections.entries()) {
          const perHead: number[] = [];
          for (const [l, layer] of layers.entries()) {
            // Lines that differ in their map alone see the same directions.
            const features = featureOptions(line, m, ps[l], seed + 100 * draw + l);
            const { queries, keys, values, causal } = layer;
            const out = await numbersOf(() => favorAttention(queries, keys, values, { causal, features }));
            perHead.push(...headErrors(out, exact[l], values.shape[1], relative));
          }
          errors[i][j].push(geometricMean(perHead));
          await pause(signal);
        }
        progress((draw + (i + 1) / estimatorLines.length) / draws, `${line.name} directions`);
      }
    } finally {
      for (const { queries, keys, values } of layers) for (const input of [queries, keys, values]) input.dispose();
    }
  }
  const of = (name: string) => errors[estimatorLines.findIndex((line) => line.name === name)];
  return {
    lines: estimatorLines.map(({ name }, i) => ({
      name,
      errors: numDirections.map((m, j) => ({ numDirections: m, error: geometricInterval(errors[i][j]) })),
    })),
    comparisons: claims.map(([worse, better]) => compare(worse, better, numDirections, of(worse), of(better))),
  };
}

/** What the paper reports, worse before better. */
const claims: readonly (readonly [worse: string, better: string])[] = [
  ['positive, independent', 'positive, orthogonal'],
  ['trigonometric, independent', 'trigonometric, orthogonal'],
  ['trigonometric, independent', 'positive, independent'],
  ['trigonometric, orthogonal', 'positive, orthogonal'],
];

function compare(
  worse: string,
  better: string,
  numDirections: readonly number[],
  errorsOfWorse: readonly number[][],
  errorsOfBetter: readonly number[][],
): Comparison {
  const ratios = numDirections.map((m, j) => ({
    numDirections: m,
    ratio: ratioInterval(errorsOfWorse[j], errorsOfBetter[j]),
  }));
  // One number for each draw, so that the draws are independent.
  const perDraw = errorsOfWorse[0].map((_, draw) =>
    geometricMean(numDirections.map((_, j) => errorsOfWorse[j][draw] / errorsOfBetter[j][draw])),
  );
  const overall = geometricInterval(perDraw);
  return { worse, better, ratios, overall, holds: overall.low > 1 };
}

/** The p that FAVOR++ is made for, of all heads together. */
async function pOf({ queries, keys }: Inputs): Promise<number> {
  return measureP(await queries.data(), await keys.data(), queries.shape[3]);
}

/** Mean of (out − exact)², perhaps over that of exact², for each head of `[1, heads, length, dValue]`. */
function headErrors(out: FloatArray, exact: FloatArray, heads: number, relative: boolean): number[] {
  const size = out.length / heads;
  return Array.from({ length: heads }, (_, head) => {
    let [error, square] = [0, 0];
    for (let i = head * size; i < (head + 1) * size; i++) {
      error += (out[i] - exact[i]) ** 2;
      square += exact[i] ** 2;
    }
    return error / (relative ? square : size);
  });
}
