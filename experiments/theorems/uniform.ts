import { type Backend, drawFeatures, Random, type Storage } from '../../src/node.ts';
import { type ExperimentContext, pause } from '../experiment.ts';
import { featureValues } from '../kernel-estimates.ts';
import { geometricInterval, type Interval } from '../statistics.ts';
import type { TheoremsConfiguration } from './configuration.ts';

/** Features needed for a largest error of ε, over all pairs of points of one dHead. */
export interface UniformNumbers {
  readonly dHead: number;
  /** By L; absent where a draw would need more features than were tried. */
  readonly needed: readonly { readonly length: number; readonly features?: Interval }[];
  /** For all points of the sphere at once, however many. */
  readonly supremum?: Interval;
}

/**
 * Theorem 4: m = Θ(d log d) positive features suffice for an error below ε at every pair at once, whatever L. Points are
 * drawn on a sphere and serve as queries and as keys, so that the hardest pairs, those with x = y, are among them.
 */
export async function uniform(
  { uniform, seed }: TheoremsConfiguration,
  { backend, signal, progress }: ExperimentContext,
): Promise<UniformNumbers[]> {
  const { dHeads, draws, lengths, error } = uniform;
  const results: UniformNumbers[] = [];
  for (const [i, dHead] of dHeads.entries()) {
    const needed = [...lengths, Number.POSITIVE_INFINITY].map((): (number | undefined)[] => []);
    for (let draw = 0; draw < draws; draw++) {
      const curves = await errorCurves(backend, dHead, seed + 1000 * (i + 1) + draw, uniform, signal);
      needed.forEach((values, level) => {
        values.push(
          featuresFor(
            error,
            curves.features,
            curves.errors.map((levels) => levels[level]),
          ),
        );
      });
      progress((i + (draw + 1) / draws) / dHeads.length, `largest error, d = ${dHead}`);
      await pause(signal);
    }
    const intervals = needed.map((values) =>
      values.includes(undefined) ? undefined : geometricInterval(values as number[]),
    );
    results.push({
      dHead,
      needed: lengths.map((length, level) => ({ length, features: intervals[level] })),
      supremum: intervals.at(-1),
    });
  }
  return results;
}

/** Largest errors of one draw, `[features][lengths…, supremum]`, the number of features doubling. */
async function errorCurves(
  backend: Backend,
  dHead: number,
  seed: number,
  { lengths, radius, maxFeatures }: TheoremsConfiguration['uniform'],
  signal: AbortSignal,
) {
  const length = lengths.at(-1) as number;
  const points = spherePoints(length, dHead, radius, new Random(seed));
  const { log, directions } = await logFeatures(backend, points, dHead, maxFeatures, seed);
  const storages = {
    points: backend.upload(points),
    features: backend.upload(log.map(Math.exp)),
    estimates: backend.allocate(length * length),
  };
  try {
    multiply(backend, storages.points, storages.estimates, length, dHead, 0, dHead);
    const kernel = (await backend.read(storages.estimates)).map(Math.exp);
    backend.fill(storages.estimates, 0);
    const features: number[] = [];
    const errors: number[][] = [];
    for (let from = 0, to = 16; to <= maxFeatures; from = to, to *= 2) {
      multiply(backend, storages.features, storages.estimates, length, maxFeatures, from, to);
      const sums = await backend.read(storages.estimates);
      const { largest, worst } = largestErrors(sums, kernel, to, lengths);
      const start = points.subarray(worst * dHead, (worst + 1) * dHead);
      features.push(to);
      errors.push([
        ...largest,
        Math.max(largest.at(-1) as number, supremum(directions.subarray(0, to * dHead), start, radius)),
      ]);
      await pause(signal);
    }
    return { features, errors };
  } finally {
    for (const storage of Object.values(storages)) backend.release(storage);
  }
}

/** estimates += A[:, from … to] A[:, from … to]ᵀ for A `[length, columns]`. */
function multiply(
  backend: Backend,
  a: Storage,
  c: Storage,
  length: number,
  columns: number,
  from: number,
  to: number,
): void {
  const part = backend.slice(a, from, a.length - from);
  backend.gemm({
    a: part,
    b: part,
    c,
    m: length,
    n: length,
    k: to - from,
    lda: columns,
    ldb: columns,
    transposeB: true,
    accumulate: from > 0,
  });
}

/** Largest |K̂ − K| over the first L points, for each L, and the point whose error with itself is largest. */
function largestErrors(
  sums: ArrayLike<number>,
  kernel: ArrayLike<number>,
  numFeatures: number,
  lengths: readonly number[],
): { largest: number[]; worst: number } {
  const length = lengths.at(-1) as number;
  const largest: number[] = [];
  let [all, worst, worstError] = [0, 0, 0];
  for (let i = 0, level = 0; i < length; i++) {
    for (let j = 0; j <= i; j++) {
      const error = Math.abs(sums[i * length + j] / numFeatures - kernel[i * length + j]);
      if (error > all) all = error;
      if (j === i && error > worstError) [worst, worstError] = [i, error];
    }
    if (i + 1 === lengths[level]) largest[level++] = all;
  }
  return { largest, worst };
}

/**
 * Largest overestimate of K(x, x) on the sphere, near a point: x ← the direction of Σ_r exp(2ω_rᵀx)·ω_r climbs, for the sum is
 * convex in x.
 */
function supremum(directions: ArrayLike<number>, start: Float32Array, radius: number): number {
  const dHead = start.length;
  const numFeatures = directions.length / dHead;
  let x = Float64Array.from(start);
  let estimate = 0;
  for (let step = 0; step < 30; step++) {
    const gradient = new Float64Array(dHead);
    estimate = 0;
    for (let r = 0; r < numFeatures; r++) {
      let dot = 0;
      for (let c = 0; c < dHead; c++) dot += directions[r * dHead + c] * x[c];
      const term = Math.exp(2 * dot - radius ** 2);
      estimate += term / numFeatures;
      for (let c = 0; c < dHead; c++) gradient[c] += term * directions[r * dHead + c];
    }
    const scale = radius / Math.hypot(...gradient);
    x = gradient.map((value) => value * scale);
  }
  return estimate - Math.exp(radius ** 2);
}

/** The m at which a falling curve passes ε for the last time, interpolated in logarithms. */
export function featuresFor(error: number, features: readonly number[], errors: readonly number[]): number | undefined {
  const above = errors.findLastIndex((value) => value > error);
  if (above === errors.length - 1) return undefined;
  if (above < 0) return features[0];
  const share = Math.log(errors[above] / error) / Math.log(errors[above] / errors[above + 1]);
  return features[above] * (features[above + 1] / features[above]) ** share;
}

function spherePoints(count: number, dHead: number, radius: number, random: Random): Float32Array {
  const points = new Float32Array(count * dHead);
  for (let i = 0; i < count; i++) {
    const direction = Float64Array.from({ length: dHead }, () => random.normal());
    const scale = radius / Math.hypot(...direction);
    points.set(
      direction.map((value) => value * scale),
      i * dHead,
    );
  }
  return points;
}

/** Log-features of the points, and W, of orthogonal positive features. */
async function logFeatures(backend: Backend, points: Float32Array, dHead: number, numFeatures: number, seed: number) {
  const drawn = drawFeatures(backend, dHead, { numFeatures, seed });
  try {
    return { log: await featureValues(backend, points, drawn), directions: await drawn.projection.data() };
  } finally {
    drawn.projection.dispose();
  }
}
