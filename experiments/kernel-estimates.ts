import type { Pair } from '../src/entries/inspect.ts';
import { type Backend, drawFeatures, type FeatureOptions, type FloatArray } from '../src/entries/performers.ts';
import { pause } from './experiment.ts';

type DrawnFeatures = ReturnType<typeof drawFeatures>;

export interface KernelEstimateOptions {
  /** What to draw; its numFeatures is set here. */
  readonly features: FeatureOptions;
  /** Random directions ω of one estimate; a multiple of dHead, so that draws of blocks are independent of each other. */
  readonly numDirections: number;
  /** Independent estimates of each pair. */
  readonly draws: number;
  readonly dHead: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly progress?: (done: number) => void;
}

/** Features kept at once. */
const chunkElements = 2 ** 23;

/**
 * Estimates the kernel at pairs of vectors with the library's features, many times over.
 *
 * @param x, y `[pairs, dHead]`, the paper's x and y: already scaled by dHead^(−1/4)
 * @returns `[pairs][draws]`
 */
export async function kernelEstimates(
  backend: Backend,
  x: Float32Array,
  y: Float32Array,
  options: KernelEstimateOptions,
): Promise<Float64Array[]> {
  const { features, numDirections, draws, dHead, seed, signal, progress } = options;
  const pairs = x.length / dHead;
  const perDirection = isPaired(features) ? 2 : 1;
  const drawsPerChunk = Math.max(1, Math.floor(chunkElements / (2 * pairs * numDirections * perDirection)));
  const estimates = Array.from({ length: pairs }, () => new Float64Array(draws));
  const both = Float32Array.from([...x, ...y]);
  for (let first = 0, chunk = 0; first < draws; first += drawsPerChunk, chunk++) {
    const count = Math.min(drawsPerChunk, draws - first);
    const numFeatures = count * numDirections * perDirection;
    const drawn = drawFeatures(backend, dHead, { ...features, numFeatures, seed: seed + chunk });
    const { map, weight } = drawn;
    const values = await featureValues(backend, both, drawn);
    drawn.projection.dispose();
    drawn.bias?.dispose();
    for (let pair = 0; pair < pairs; pair++) {
      const ofX = values.subarray(pair * numFeatures, (pair + 1) * numFeatures);
      const ofY = values.subarray((pairs + pair) * numFeatures, (pairs + pair + 1) * numFeatures);
      const scale = count * weight * (map === 'sine' ? Math.exp(halfNorms(x, y, pair, dHead)) : 1);
      const sums = estimates[pair].subarray(first, first + count);
      for (let r = 0; r < numFeatures; r++) {
        const draw = Math.floor((r % (count * numDirections)) / numDirections);
        sums[draw] += scale * (map === 'exponential' ? Math.exp(ofX[r] + ofY[r]) : ofX[r] * ofY[r]);
      }
    }
    progress?.((first + count) / draws);
    await pause(signal);
  }
  return estimates;
}

/** Hyperbolic and trigonometric maps make two features of each direction. */
export function isPaired({ featureMap = 'positive' }: FeatureOptions): boolean {
  const type = typeof featureMap === 'string' ? featureMap : featureMap.type;
  return type === 'hyperbolic' || type === 'trigonometric';
}

/** Squared errors of estimates of `truth`. */
export function squaredErrors(estimates: Float64Array, truth: number): Float64Array {
  return estimates.map((estimate) => (estimate - truth) ** 2);
}

/**
 * Features of scaled rows `[rows, dHead]`, as the kernels give them (logarithms for the exponential map):
 * `[rows, numFeatures]`.
 */
export async function featureValues(
  backend: Backend,
  scaledRows: Float32Array,
  features: DrawnFeatures,
): Promise<FloatArray> {
  const { dHead, projection, bias, numFeatures } = features;
  const rows = scaledRows.length / dHead;
  // The kernels scale their inputs themselves.
  const x = backend.upload(scaledRows.map((value) => value * dHead ** 0.25));
  const out = backend.allocate(rows * numFeatures);
  try {
    const estimator = { ...features, projection: projection.storage, bias: bias?.storage };
    backend.favorFeatures({ ...estimator, x, out, batch: 1, heads: 1, length: rows, dHead, layout: 'bhld' });
    return await backend.read(out);
  } finally {
    backend.release(x);
    backend.release(out);
  }
}

/** Vectors x and y `[pairs, dHead]` in the plane of the first two axes. */
export function pairVectors(pairs: readonly Pair[]): { x: Float32Array; y: Float32Array } {
  const vectors = (sign: number) =>
    Float32Array.from(
      pairs.flatMap(({ dHead, squaredSum, squaredDifference }) => {
        const vector = new Array<number>(dHead).fill(0);
        vector[0] = Math.sqrt(squaredSum) / 2;
        vector[1] = (sign * Math.sqrt(squaredDifference)) / 2;
        return vector;
      }),
    );
  return { x: vectors(1), y: vectors(-1) };
}

/** (‖x‖² + ‖y‖²)/2, which the kernels leave out of the sine map's features. */
function halfNorms(x: Float32Array, y: Float32Array, pair: number, dHead: number): number {
  let sum = 0;
  for (let i = pair * dHead; i < (pair + 1) * dHead; i++) sum += x[i] ** 2 + y[i] ** 2;
  return sum / 2;
}
