import type { Features } from '../features.ts';
import { type Projection, stackRows } from '../projections/projection.ts';

/**
 * Hyperbolic features (paper Lemma 1): `exp(±ω_rᵀx − ‖x‖²/2)/√(2m)` for m rows ω, 2m positive features. Unbiased for
 * exp(xᵀy), with less than half the variance of m positive features.
 */
export function hyperbolicMap(projection: Projection): Features {
  const rows = stackRows(projection, [1, -1]);
  return { ...rows, map: 'exponential', epsilon: 0, weight: 1 / rows.numFeatures, stabiliser: 0 };
}
