/** What a row of FAVOR+ is measured in, and what it is divided by. */
import type { FavorResult } from '../../types.ts';
import type { FeatureRow } from './features.ts';

/** What the numbers of a query's row are relative to: exp(norm) · 2^log2. */
export interface Unit {
  /** max_r (n_r + c_r), n_r the rounded log2 of exp(exponent_r) and c_r the scale of feature r; -Infinity without a key. */
  readonly log2: number;
  /** c_r. */
  readonly scales: Float64Array;
  /** The query's share of D, which cancels where rows are divided by their sums. */
  readonly norm: number;
}

/** The unit of a query over keys whose features have the given base-2 scales. */
export function unitOf(query: FeatureRow, scales: Float64Array): Unit {
  const log2 = query.ownScales.reduce((max, own, r) => Math.max(max, own + scales[r]), Number.NEGATIVE_INFINITY);
  return { log2, scales, norm: query.norm };
}

const POWERS = Float64Array.from({ length: 1075 }, (_, n) => 2 ** -n);

/** 2^n of an integer n ≤ 0, read from a table: that is most of the work of a row. */
function powerOfTwo(n: number): number {
  return n < -1074 ? 0 : n <= 0 ? POWERS[-n] : 2 ** n;
}

/**
 * exp(exponent_r of the query) · 2^scale in `unit`, for a scale of at most c_r. The query is measured from the unit and
 * the scale from c_r. Neither power overflows, and keys are told apart however large the query is.
 */
export function weightOf(query: FeatureRow, r: number, scale: number, unit: Unit): number {
  if (scale === Number.NEGATIVE_INFINITY) return 0;
  const power = powerOfTwo(query.ownScales[r] + unit.scales[r] - unit.log2) * powerOfTwo(scale - unit.scales[r]);
  return power * query.ownFractions[r];
}

/**
 * What the numerators of a row, in its unit, are divided by; the kernels' `denominator`. `sum` is the sum of the row,
 * in the same unit. Zero means a row of zeros.
 */
export function divisorOf(sum: number, unit: Unit, { weight, stabiliser }: FavorResult): number {
  if (unit.log2 === Number.NEGATIVE_INFINITY) return 0;
  if (weight > 0) return (Math.exp(-unit.norm) * 2 ** -unit.log2) / weight;
  return Math.abs(sum) <= stabiliser ? sum + 2 * stabiliser : sum;
}
