/** Estimates by features in plain float64 code, from the meaning that kernels/description.mjs gives to their numbers. */
import { blockSize } from '../../src/backend/projection-sizes.ts';
import type { FeatureMapKind } from '../../src/backend/types.ts';
import { Random } from '../../src/base/random.ts';
import { type FeatureMapOptions, featureSchema } from '../../src/features/configuration.ts';
import { drawFeatures } from '../../src/features/draw-features.ts';
import type { Features } from '../../src/features/features.ts';

type Vector = ArrayLike<number>;

function dot(a: Vector, b: Vector): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** W x of every feature, without its bias. */
export function project(features: Features, x: Vector): Float64Array {
  const { form, numFeatures, directions, factors, projection } = features;
  const dHead = x.length;
  const out = new Float64Array(numFeatures);
  if (form === 'dense') {
    for (let r = 0; r < numFeatures; r++) for (let i = 0; i < dHead; i++) out[r] += projection[r * dHead + i] * x[i];
    return out;
  }
  const size = blockSize(form, dHead);
  const factorLength = form === 'hadamard' ? size : 4;
  const blocks = Math.ceil(directions / size);
  const rows: number[] = [];
  for (let block = 0; block < blocks; block++) {
    let state: Float64Array = new Float64Array(size);
    state.set(Array.from(x));
    for (let f = 0; f < factors; f++) {
      const at = (block * factors + f) * factorLength;
      state = form === 'hadamard' ? signedHadamard(projection, at, state) : rotated(projection, at, state);
    }
    rows.push(...state);
  }
  const lengths = blocks * factors * factorLength;
  return out.map((_, r) => projection[lengths + r] * rows[r % directions]);
}

/** H D x with H_ij = (−1)^(number of common binary ones of i and j). */
function signedHadamard(projection: Float64Array, at: number, x: Float64Array) {
  const signs = hadamardSigns(x.length);
  return x.map((_, i) => {
    let sum = 0;
    for (let j = 0; j < x.length; j++) sum += signs[i * x.length + j] * projection[at + j] * x[j];
    return sum;
  });
}

const signsOf = new Map<number, number[]>();

function hadamardSigns(size: number): number[] {
  const known = signsOf.get(size);
  if (known) return known;
  const commonOnes = (at: number) => (Math.floor(at / size) & (at % size)).toString(2).replaceAll('0', '').length;
  const signs = Array.from({ length: size ** 2 }, (_, at) => (commonOnes(at) % 2 ? -1 : 1));
  signsOf.set(size, signs);
  return signs;
}

/** R x, in place. */
function rotated(projection: Float64Array, at: number, x: Float64Array) {
  const [i, j] = [projection[at], projection[at + 1]];
  const [cos, sin] = [projection[at + 2], projection[at + 3]];
  const [a, b] = [x[i], x[j]];
  x[i] = cos * a - sin * b;
  x[j] = sin * a + cos * b;
  return x;
}

/** W as rows. */
export function rowsOf(features: Features, dHead: number): number[][] {
  const columns = Array.from({ length: dHead }, (_, i) => project(features, unitVector(dHead, i)));
  return Array.from({ length: features.numFeatures }, (_, r) => columns.map((column) => column[r]));
}

export function unitVector(size: number, axis: number): Float64Array {
  const vector = new Float64Array(size);
  vector[axis] = 1;
  return vector;
}

/** erf by Simpson's rule. */
export function erf(x: number): number {
  const steps = 400;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    sum += (i === 0 || i === steps ? 1 : i % 2 ? 4 : 2) * Math.exp(-(((x * i) / steps) ** 2));
  }
  return (2 / Math.sqrt(Math.PI)) * (x / steps / 3) * sum;
}

/** f of the maps f(u) + epsilon. */
export const activationFunctions: Record<Exclude<FeatureMapKind, 'exponential' | 'sine'>, (u: number) => number> = {
  relu: (u) => Math.max(0, u),
  exp: Math.exp,
  sigmoid: (u) => 1 / (1 + Math.exp(-u)),
  abs: Math.abs,
  gelu: (u) => (u / 2) * (1 + erf(u / Math.SQRT2)),
  cos: Math.cos,
  tanh: Math.tanh,
  identity: (u) => u,
  eluPlusOne: (u) => (u > 0 ? u + 1 : Math.exp(u)),
  square: (u) => u * u,
};

/** φ of x̂ (already scaled). */
export function evaluate(features: Features, x: Vector): Float64Array {
  const { map, epsilon, bias } = features;
  const half = dot(x, x) / 2;
  return project(features, x).map((value, r) => {
    const u = value + (bias ? bias[r] : 0);
    if (map === 'exponential') return Math.exp(u - half);
    if (map === 'sine') return Math.sin(u) * Math.exp(half);
    return activationFunctions[map](u) + epsilon;
  });
}

/** weight·Σ_r φ_r(x) φ_r(y) for scaled x and y. */
export function estimate(features: Features, x: Vector, y: Vector): number {
  return features.weight * dot(evaluate(features, x), evaluate(features, y));
}

/** Estimates of K(x, y) for every pair, by the same `draws` independent draws from one seed. */
export function sampleEstimates(
  options: FeatureMapOptions,
  pairs: readonly (readonly [Vector, Vector])[],
  draws: number,
  seed = 1,
): Float64Array[] {
  const configuration = featureSchema.parse(options);
  const random = new Random(seed, 9);
  const samples = pairs.map(() => new Float64Array(draws));
  for (let draw = 0; draw < draws; draw++) {
    const features = drawFeatures(configuration, pairs[0][0].length, random);
    pairs.forEach(([x, y], i) => {
      samples[i][draw] = estimate(features, x, y);
    });
  }
  return samples;
}

/** Two vectors with ‖x + y‖² and ‖x − y‖² as given, the sum along `direction`. */
export function vectorsOf(
  direction: Vector,
  squaredSum: number,
  squaredDifference: number,
): [Float64Array, Float64Array] {
  const length = Math.sqrt(dot(direction, direction));
  const along = Float64Array.from(direction, (value) => value / length);
  const across = unitVector(along.length, along.length - 1);
  const overlap = dot(along, across);
  const rest = across.map((value, i) => value - overlap * along[i]);
  const restLength = Math.sqrt(dot(rest, rest));
  const half = (sign: number) =>
    along.map((a, i) => (Math.sqrt(squaredSum) * a + (sign * Math.sqrt(squaredDifference) * rest[i]) / restLength) / 2);
  return [half(1), half(-1)];
}
