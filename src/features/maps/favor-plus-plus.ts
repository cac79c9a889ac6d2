import type { FloatArray } from '../../backend/types.ts';
import { ConfigurationError } from '../../base/errors.ts';
import { checkArguments, option } from '../../base/options.ts';
import type { Features } from '../features.ts';
import { type Projection, stackRows } from '../projections/projection.ts';
import { squaredLengths } from '../projections/squared-lengths.ts';

/**
 * Optimal positive features (FAVOR++, Likhosherstov et al. 2022, after the paper):
 * `φ_r(x) = (1−4A)^(d/4)·exp(A‖ω_r‖² + √(1−4A)·ω_rᵀx − ‖x‖²/2)/√m`. The estimate is unbiased for exp(xᵀy) and positive
 * for every A < 1/8, with the least variance at {@link optimalA}. A = 0 gives the positive features.
 *
 * @param projection with Gaussian norms
 * @param p mean of ‖x + y‖²/d over scaled queries x and keys y; see {@link measureP}
 */
export function favorPlusPlusMap(projection: Projection, p: number): Features {
  const a = optimalA(p);
  const rows = stackRows(projection, [Math.sqrt(1 - 4 * a)]);
  const bias = squaredLengths(projection).map((square) => a * square);
  const weight = (1 - 4 * a) ** (projection.dHead / 2) / rows.numFeatures;
  return { ...rows, map: 'exponential', epsilon: 0, bias, weight, stabiliser: 0 };
}

/** A of FAVOR++: the minimum of the variance for ‖x + y‖² = p·d; 0 at p = 0, else negative. */
export function optimalA(p: number): number {
  checkArguments('optimalA', { p }, { p: option.number });
  return (1 - 2 * p - Math.sqrt((2 * p + 1) ** 2 + 8 * p)) / 16;
}

/**
 * The p of FAVOR++: the mean of ‖x + y‖²/dHead over all pairs of queries and keys scaled by dHead^(−1/4), from means over
 * each. O((lengthQ + lengthK)·dHead).
 *
 * @param queries any number of rows of dHead numbers, one after another; not scaled
 * @param keys likewise
 * @throws ConfigurationError when an array is empty or no whole number of rows.
 */
export function measureP(queries: FloatArray, keys: FloatArray, dHead: number): number {
  checkArguments(
    'measureP',
    { queries, keys, dHead },
    { queries: option.numbers, keys: option.numbers, dHead: option.count },
  );
  const x = rowMeans('queries', queries, dHead);
  const y = rowMeans('keys', keys, dHead);
  const cross = x.vector.reduce((sum, value, i) => sum + value * y.vector[i], 0);
  return (x.square + y.square + 2 * cross) / dHead ** 1.5;
}

/** Mean row, and mean squared length of a row. */
function rowMeans(name: string, array: FloatArray, dHead: number): { vector: Float64Array; square: number } {
  const rows = array.length / dHead;
  if (rows === 0 || !Number.isInteger(rows)) {
    throw new ConfigurationError(`measureP: ${name} has ${array.length} numbers; give at least one row of ${dHead}.`);
  }
  const vector = new Float64Array(dHead);
  let square = 0;
  for (let i = 0; i < array.length; i++) {
    vector[i % dHead] += array[i] / rows;
    square += array[i] ** 2 / rows;
  }
  return { vector, square };
}
