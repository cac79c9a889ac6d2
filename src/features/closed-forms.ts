/**
 * What the estimators are known to do on average: kernels and mean squared errors in closed form, for tests and figures.
 *
 * For rows ω of W, z = x + y, Δ = x − y and X = ‖x‖² + ‖y‖², an estimate averages one term per direction ω. Its mean
 * squared error is the variance of a term over the number of directions, plus the covariance of two terms of one block.
 * The covariance is 0 for independent rows and negative for orthogonal and simplex rows. (Paper Lemma 2, Theorem 2, and
 * their extension to the other maps.) Expectations over directions uniform on the sphere are ₀F₁ series in their
 * lengths.
 */

import { blockSize } from '../backend/projection-sizes.ts';
import { ConfigurationError, ShapeError } from '../base/errors.ts';
import { checkArguments, option } from '../base/options.ts';
import type { FeatureMapConfiguration } from './configuration.ts';
import { optimalA } from './maps/favor-plus-plus.ts';
import { type ProjectionKind, projectionKinds } from './projection.ts';

/** All that estimates of K(x, y) depend on: x and y are scaled by dHead^(−1/4). */
export interface Pair {
  readonly dHead: number;
  /** ‖x + y‖² */
  readonly squaredSum: number;
  /** ‖x − y‖² */
  readonly squaredDifference: number;
}

/** An estimator of the softmax kernel, or of SMREG; `numFeatures` counts both features of a direction. */
export interface EstimatorDescription {
  readonly featureMap: Exclude<FeatureMapConfiguration, { type: 'generalised' }>;
  readonly projection: Exclude<ProjectionKind, 'none'>;
  readonly numFeatures: number;
}

const pairKind = option.having('a pair, such as pairOf() gives', {
  dHead: option.count,
  squaredSum: option.number,
  squaredDifference: option.number,
});

const estimatorKind = option.having('an estimator', {
  featureMap: option.having('a feature map', {
    type: option.oneOf('positive', 'hyperbolic', 'smreg', 'trigonometric', 'favor++'),
    p: option.optional(option.number),
  }),
  projection: option.oneOf(...projectionKinds.filter((kind) => kind !== 'none')),
  numFeatures: option.count,
});

/**
 * What the closed forms need of a query and a key: ‖x + y‖² and ‖x − y‖².
 *
 * @throws ShapeError if the lengths differ.
 */
export function pairOf(x: ArrayLike<number>, y: ArrayLike<number>): Pair {
  checkArguments('pairOf', { x, y }, { x: option.numbers, y: option.numbers });
  if (x.length !== y.length) {
    throw new ShapeError(`pairOf: x has ${x.length} numbers and y has ${y.length}; give vectors of equal length.`);
  }
  let [squaredSum, squaredDifference] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    squaredSum += (x[i] + y[i]) ** 2;
    squaredDifference += (x[i] - y[i]) ** 2;
  }
  return { dHead: x.length, squaredSum, squaredDifference };
}

/** Two vectors of one length at an angle in radians (the axes of paper Figure 2). */
export function pairAtAngle(dHead: number, length: number, angle: number): Pair {
  checkArguments(
    'pairAtAngle',
    { dHead, length, angle },
    { dHead: option.count, length: option.number, angle: option.number },
  );
  const twice = 2 * length ** 2;
  return { dHead, squaredSum: twice * (1 + Math.cos(angle)), squaredDifference: twice * (1 - Math.cos(angle)) };
}

/** `₀F₁(; b; z) = Σ_k z^k / ((b)_k k!)`. */
export function hypergeometric0F1(b: number, z: number): number {
  checkArguments('hypergeometric0F1', { b, z }, { b: option.number, z: option.number });
  return sumSeries((k) => z / ((b + k) * (k + 1)));
}

/** `₁F₁(a; b; z) = Σ_k (a)_k z^k / ((b)_k k!)`; negative z by Kummer's transformation, which spares digits. */
export function hypergeometric1F1(a: number, b: number, z: number): number {
  checkArguments('hypergeometric1F1', { a, b, z }, { a: option.number, b: option.number, z: option.number });
  if (z < 0) return Math.exp(z) * hypergeometric1F1(b - a, b, -z);
  return sumSeries((k) => ((a + k) * z) / ((b + k) * (k + 1)));
}

/** 1 + r(0) + r(0)r(1) + …, to the last digit. */
function sumSeries(ratio: (k: number) => number): number {
  let [term, sum] = [1, 1];
  for (let k = 0; Math.abs(term) > 1e-17 * Math.abs(sum) && k < 10_000; k++) {
    term *= ratio(k);
    sum += term;
  }
  return sum;
}

/** `SM(x, y) = exp(xᵀy)`. */
export function softmaxKernel(pair: Pair): number {
  checkArguments('softmaxKernel', { pair }, { pair: pairKind });
  const { squaredSum, squaredDifference } = pair;
  return Math.exp((squaredSum - squaredDifference) / 4);
}

/** `SMREG(x, y) = e^{−X/2}·₀F₁(; d/2; d·‖x + y‖²/4)` (paper Theorem 1). */
export function regularisedSoftmaxKernel(pair: Pair): number {
  checkArguments('regularisedSoftmaxKernel', { pair }, { pair: pairKind });
  const { dHead, squaredSum } = pair;
  return Math.exp(-squaredNorms(pair) / 2) * hypergeometric0F1(dHead / 2, (dHead * squaredSum) / 4);
}

/** The kernel that an estimator is unbiased for. Padded Hadamard rows estimate SMREG of the padded inputs. */
export function expectedKernel(estimator: EstimatorDescription, pair: Pair): number {
  checkArguments('expectedKernel', { estimator, pair }, { estimator: estimatorKind, pair: pairKind });
  const { featureMap, projection } = estimator;
  if (featureMap.type !== 'smreg') return softmaxKernel(pair);
  return regularisedSoftmaxKernel({ ...pair, dHead: blockRows(projection, pair.dHead) });
}

/**
 * `E[(K̂(x, y) − K(x, y))²]` of an estimate from numFeatures features, blocks of dHead rows, the last one cut. Exact
 * for gaussian, orthogonal and simplex projections; givens and hadamard are taken for the orthogonal projections that
 * they come close to. Alternating series leave about 1e-6 of the value for ‖x − y‖² up to 8, less beyond.
 *
 * @throws ConfigurationError for FAVOR++ over Hadamard rows that are padded, of which no closed form is known here.
 */
export function meanSquaredError(estimator: EstimatorDescription, pair: Pair): number {
  checkArguments('meanSquaredError', { estimator, pair }, { estimator: estimatorKind, pair: pairKind });
  const { featureMap, projection, numFeatures } = estimator;
  const rows = blockRows(projection, pair.dHead);
  if (featureMap.type === 'favor++' && rows !== pair.dHead) {
    throw new ConfigurationError(
      `meanSquaredError: FAVOR++ with hadamard needs dHead a power of two; got ${pair.dHead}.`,
    );
  }
  const inBlocks = { ...pair, dHead: rows };
  const isPaired = featureMap.type === 'hyperbolic' || featureMap.type === 'trigonometric';
  const directions = isPaired ? numFeatures / 2 : numFeatures;
  let sum = directions * termVariance(featureMap, inBlocks);
  const cosine = blockCosine(projection, rows);
  if (cosine !== undefined && rows > 1) {
    const cut = directions % rows;
    const pairs = (directions - cut) * (rows - 1) + cut * (cut - 1);
    if (pairs > 0) sum += pairs * termCovariance(featureMap, inBlocks, cosine);
  }
  return sum / directions ** 2;
}

/**
 * What orthogonal rows save at least (paper Theorem 2): `MSE(orthogonal +) ≤ MSE(iid +) − this` for numFeatures ≤ dHead.
 */
export function orthogonalGain(numFeatures: number, pair: Pair): number {
  checkArguments('orthogonalGain', { numFeatures, pair }, { numFeatures: option.number, pair: pairKind });
  const excess = softmaxKernel(pair) - Math.exp(-squaredNorms(pair) / 2);
  return ((2 * (numFeatures - 1)) / (numFeatures * (pair.dHead + 2))) * excess ** 2;
}

/** X */
function squaredNorms({ squaredSum, squaredDifference }: Pair): number {
  return (squaredSum + squaredDifference) / 2;
}

function blockRows(projection: ProjectionKind, dHead: number): number {
  return projection === 'hadamard' ? blockSize('hadamard', dHead) : dHead;
}

/** Cosine between the directions of a block; undefined where they are independent. */
function blockCosine(projection: ProjectionKind, dHead: number): number | undefined {
  if (projection === 'gaussian') return undefined;
  return projection === 'simplex' ? -1 / (dHead - 1) : 0;
}

/** Variance of what one direction contributes. */
function termVariance(featureMap: EstimatorDescription['featureMap'], pair: Pair): number {
  const { dHead, squaredSum, squaredDifference } = pair;
  const norms = squaredNorms(pair);
  switch (featureMap.type) {
    case 'positive':
      return Math.exp(squaredSum - norms) * Math.expm1(squaredSum);
    case 'hyperbolic':
      return (Math.exp(-norms) / 2) * Math.expm1(squaredSum) ** 2;
    case 'trigonometric':
      return (Math.exp(norms) / 2) * Math.expm1(-squaredDifference) ** 2;
    case 'smreg':
      return Math.exp(-norms) * hypergeometric0F1(dHead / 2, dHead * squaredSum) - regularisedSoftmaxKernel(pair) ** 2;
    case 'favor++': {
      const a = optimalA(featureMap.p);
      const [b, c] = [1 - 4 * a, 1 - 8 * a];
      const square = (b ** 2 / c) ** (dHead / 2) * Math.exp((2 * b * squaredSum) / c);
      return Math.exp(-norms) * (square - Math.exp(squaredSum));
    }
  }
}

/** Covariance of what two directions at an angle of this cosine contribute. */
function termCovariance(featureMap: EstimatorDescription['featureMap'], pair: Pair, cosine: number): number {
  const { dHead, squaredSum, squaredDifference } = pair;
  const norms = squaredNorms(pair);
  const both = (square: number) =>
    (sumMoment(dHead, cosine, square) + sumMoment(dHead, -cosine, square)) / 2 - Math.exp(square);
  switch (featureMap.type) {
    case 'positive':
    // The constants of FAVOR++ reweight each length by itself, which gives back the positive term.
    case 'favor++':
      return Math.exp(-norms) * (sumMoment(dHead, cosine, squaredSum) - Math.exp(squaredSum));
    case 'hyperbolic':
      return Math.exp(-norms) * both(squaredSum);
    case 'trigonometric':
      return Math.exp(norms) * both(-squaredDifference);
    case 'smreg': {
      const square = hypergeometric0F1(dHead / 2, (dHead * squaredSum * (1 + cosine)) / 2);
      return Math.exp(-norms) * square - regularisedSoftmaxKernel(pair) ** 2;
    }
  }
}

/**
 * `E exp((ω_1 + ω_2)ᵀz)` at ‖z‖² = `square`, for χ_d lengths a, b at an angle of this cosine and a uniform direction.
 * The series is `Σ_k (square/4)^k·E(a² + b² + 2ab·cosine)^k / ((d/2)_k k!)`. With z imaginary (square < 0), the cosine
 * takes the place of exp.
 */
function sumMoment(dHead: number, cosine: number, square: number): number {
  if (cosine === 0) return hypergeometric1F1(dHead, dHead / 2, square / 2);
  // E a^n / d^(n/2)
  const moments = [1, (Math.SQRT2 * gammaRatio(dHead / 2)) / Math.sqrt(dHead)];
  let [factor, sum] = [1, 1];
  for (let k = 1; k < 400; k++) {
    for (let n = moments.length; n <= 2 * k; n++) moments.push((moments[n - 2] * (dHead + n - 2)) / dHead);
    factor *= (dHead * square) / 4 / ((dHead / 2 + k - 1) * k);
    const term = factor * lengthMoment(k, cosine, moments);
    sum += term;
    if (Math.abs(term) < 1e-17 * Math.abs(sum)) break;
  }
  return sum;
}

/** `E(a² + b² + 2ab·cosine)^k`, by the multinomial theorem. */
function lengthMoment(k: number, cosine: number, moments: readonly number[]): number {
  let sum = 0;
  let outer = 1;
  for (let l = 0; l <= k; l++) {
    let inner = 1;
    for (let i = 0; i <= k - l; i++) {
      sum += outer * inner * moments[2 * i + l] * moments[2 * (k - l - i) + l];
      inner *= (k - l - i) / (i + 1);
    }
    outer *= (2 * cosine * (k - l)) / (l + 1);
  }
  return sum;
}

/** `Γ(x + ½)/Γ(x)` for x a positive multiple of ½. */
function gammaRatio(x: number): number {
  if (x === 0.5) return 1 / Math.sqrt(Math.PI);
  if (x === 1) return Math.sqrt(Math.PI) / 2;
  return (gammaRatio(x - 1) * (x - 0.5)) / (x - 1);
}
