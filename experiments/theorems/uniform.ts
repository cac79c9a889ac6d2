import { type Backend, drawFeatures, type FloatArray, Random, type Storage } from '../../src/entries/performers.ts';
import { type ExperimentContext, pause } from '../experiment.ts';
import { featureValues } from '../kernel-estimates.ts';
import { geometricInterval, type Interval } from '../results/statistics.ts';
import type { TheoremsConfiguration } from './configuration.ts';

/** Directions needed for a largest error of ε, over all pairs of points of one dHead. */
export interface UniformNumbers {
  readonly dHead: number;
  /** By L; absent where a draw would need more directions than were tried. */
  readonly needed: readonly { readonly length: number; readonly directions?: Interval }[];
  /** For all points of the sphere at once, however many. */
  readonly supremum?: Interval;
}

/**
 * Theorem 4: m = Θ(d log d) directions suffice for an error below ε at every pair at once, whatever L. Trigonometric
 * features, which are bounded as the theorem's constants have it, of orthogonal directions; queries and keys are the same
 * points, drawn on a sphere.
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
          directionsFor(
            error,
            curves.directions,
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
      needed: lengths.map((length, level) => ({ length, directions: intervals[level] })),
      supremum: intervals.at(-1),
    });
  }
  return results;
}

/** Largest errors of one draw, `[directions][lengths…, supremum]`, the number of directions doubling. */
async function errorCurves(
  backend: Backend,
  dHead: number,
  seed: number,
  { lengths, radius, maxDirections }: TheoremsConfiguration['uniform'],
  signal: AbortSignal,
) {
  const length = lengths.at(-1) as number;
  const points = spherePoints(length, dHead, radius, new Random(seed));
  const drawn = drawFeatures(backend, dHead, { featureMap: 'trigonometric', numFeatures: 2 * maxDirections, seed });
  const values = await featureValues(backend, points, drawn);
  const rows = await drawn.projection.data();
  drawn.projection.dispose();
  drawn.bias?.dispose();
  const storages = {
    points: backend.upload(points),
    features: backend.upload(Float32Array.from(values)),
    estimates: backend.allocate(length * length),
  };
  const add = (a: Storage, columns: number, from: number, to: number, accumulate: boolean) => {
    const part = backend.slice(a, from, a.length - from);
    const sizes = { m: length, n: length, k: to - from, lda: columns, ldb: columns };
    backend.gemm({ a: part, b: part, c: storages.estimates, ...sizes, transposeB: true, accumulate });
  };
  try {
    add(storages.points, dHead, 0, dHead, false);
    const kernel = (await backend.read(storages.estimates)).map(Math.exp);
    const directions: number[] = [];
    const errors: number[][] = [];
    for (let from = 0, to = 16; to <= maxDirections; from = to, to *= 2) {
      // Sines, then cosines.
      for (const half of [0, maxDirections]) {
        add(storages.features, 2 * maxDirections, half + from, half + to, half + from > 0);
      }
      const scale = Math.exp(radius ** 2) / to;
      const { largest, pair } = largestErrors(await backend.read(storages.estimates), kernel, scale, lengths);
      const [x, y] = pair.map((i) => points.subarray(i * dHead, (i + 1) * dHead));
      const difference = Float64Array.from(x, (value, c) => value - y[c]);
      directions.push(to);
      errors.push([...largest, climb(rows.subarray(0, to * dHead), difference, radius)]);
      await pause(signal);
    }
    return { directions, errors };
  } finally {
    for (const storage of Object.values(storages)) backend.release(storage);
  }
}

/** Largest |K̂ − K| over the first L points, for each L, and the pair at which it is largest over all. */
function largestErrors(
  sums: FloatArray,
  kernel: FloatArray,
  scale: number,
  lengths: readonly number[],
): { largest: number[]; pair: number[] } {
  const length = lengths.at(-1) as number;
  const largest: number[] = [];
  let all = 0;
  let pair = [0, 0];
  for (let i = 0, level = 0; i < length; i++) {
    for (let j = 0; j <= i; j++) {
      const error = Math.abs(sums[i * length + j] * scale - kernel[i * length + j]);
      if (error > all) {
        all = error;
        pair = [i, j];
      }
    }
    if (i + 1 === lengths[level]) {
      largest.push(all);
      level++;
    }
  }
  return { largest, pair };
}

/**
 * The largest error uphill from Δ = x − y, ‖Δ‖ ≤ 2·radius, on which alone it depends at ‖x‖ = ‖y‖ = radius:
 * `exp(radius²)·|mean_r cos ω_rᵀΔ − exp(−‖Δ‖²/2)|`. Steps along the gradient, halved where they do not climb.
 */
function climb(rows: FloatArray, start: Float64Array, radius: number, steps = 40): number {
  const dHead = start.length;
  const numDirections = rows.length / dHead;
  const at = (delta: Float64Array) => {
    const square = delta.reduce((sum, value) => sum + value ** 2, 0);
    const gradient = delta.map((value) => value * Math.exp(-square / 2));
    let value = -Math.exp(-square / 2);
    for (let r = 0; r < numDirections; r++) {
      let dot = 0;
      for (let c = 0; c < dHead; c++) dot += rows[r * dHead + c] * delta[c];
      value += Math.cos(dot) / numDirections;
      const slope = -Math.sin(dot) / numDirections;
      for (let c = 0; c < dHead; c++) gradient[c] += slope * rows[r * dHead + c];
    }
    return { error: Math.abs(value), gradient: gradient.map((slope) => Math.sign(value) * slope) };
  };
  let [delta, here, step] = [start, at(start), radius / 4];
  for (let i = 0; i < steps; i++) {
    const size = Math.hypot(...here.gradient);
    const moved = delta.map((value, c) => value + (step / size) * here.gradient[c]);
    const shrink = Math.min(1, (2 * radius) / Math.hypot(...moved));
    const next = moved.map((value) => value * shrink);
    const there = at(next);
    if (there.error > here.error) [delta, here] = [next, there];
    else step /= 2;
  }
  return Math.exp(radius ** 2) * here.error;
}

/** The m at which a falling curve passes ε for the last time, interpolated in logarithms. */
export function directionsFor(
  error: number,
  directions: readonly number[],
  errors: readonly number[],
): number | undefined {
  const above = errors.findLastIndex((value) => value > error);
  if (above === errors.length - 1) return undefined;
  if (above < 0) return directions[0];
  const share = Math.log(errors[above] / error) / Math.log(errors[above] / errors[above + 1]);
  return directions[above] * (directions[above + 1] / directions[above]) ** share;
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
