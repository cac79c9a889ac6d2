import type { Features } from '../features.ts';
import { type Projection, stackRows } from '../projections/projection.ts';

/**
 * Positive features (paper Lemma 1): `φ_r(x) = exp(ω_rᵀx − ‖x‖²/2)/√m`, an unbiased estimate of exp(xᵀy) that is never
 * negative, for rows ω as long as a Gaussian vector's.
 */
export function positiveMap(projection: Projection): Features {
  const rows = stackRows(projection, [1]);
  return { ...rows, map: 'exponential', epsilon: 0, weight: 1 / rows.numFeatures, stabiliser: 0 };
}
