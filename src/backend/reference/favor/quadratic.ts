/** The quadratic form A_ij = Σ_r φ_r(q_i) φ_r(k_j), row by row, in units in which nothing overflows or vanishes. */
import type { SequenceHead } from '../attention-arrays.ts';
import type { FeatureRow } from './features.ts';
import type { FavorState } from './state.ts';
import { type Unit, unitOf, weightOf } from './unit.ts';

/** One row of the quadratic form before division, in its unit. */
export interface Row {
  readonly unit: Unit;
  /** A_ij, `[keyLength]`; zero for keys that the query does not see. */
  readonly weights: Float64Array;
  /** φ_r(q_i) · 2^scale_r: the weight of feature r of the initial state, if there is one. */
  readonly stateWeights: Float64Array;
  /** Σ_j A_ij plus the initial state's share. */
  readonly sum: number;
}

/** Base-2 scale of every feature over the keys that query i sees and those of the initial state. */
function scalesOf(
  unit: SequenceHead,
  i: number,
  numFeatures: number,
  keys: readonly FeatureRow[],
  initial?: FavorState,
) {
  const scales = initial ? initial.scales : new Float64Array(numFeatures).fill(Number.NEGATIVE_INFINITY);
  keys.forEach((key, j) => {
    if (!unit.sees(i, j)) return;
    for (let r = 0; r < numFeatures; r++) scales[r] = Math.max(scales[r], key.scales[r]);
  });
  return scales;
}

/** φ_r(q) φ_r(k) without its mantissas, in `unit`. */
export function termScale(query: FeatureRow, key: FeatureRow, r: number, unit: Unit): number {
  return key.fractions[r] === 0 ? 0 : key.fractions[r] * weightOf(query, r, key.scales[r], unit);
}

export function quadraticRow(
  sequence: SequenceHead,
  i: number,
  query: FeatureRow,
  keys: readonly FeatureRow[],
  initial?: FavorState,
): Row {
  const numFeatures = query.mantissas.length;
  const unit = unitOf(query, scalesOf(sequence, i, numFeatures, keys, initial));
  const weights = new Float64Array(keys.length);
  if (unit.log2 === Number.NEGATIVE_INFINITY) return { unit, weights, stateWeights: new Float64Array(0), sum: 0 };
  let sum = 0;
  keys.forEach((key, j) => {
    if (!sequence.sees(i, j)) return;
    for (let r = 0; r < numFeatures; r++) {
      weights[j] += query.mantissas[r] * key.mantissas[r] * termScale(query, key, r, unit);
    }
    sum += weights[j];
  });
  const stateWeights = initial ? initial.weights(query, unit) : new Float64Array(0);
  stateWeights.forEach((weight, r) => {
    if (initial && weight !== 0) sum += weight * initial.sum(r, initial.width - 1);
  });
  return { unit, weights, stateWeights, sum };
}
