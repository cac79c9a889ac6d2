import type { Features } from '../features.ts';
import { type Projection, stackRows } from '../projections/projection.ts';

/**
 * Trigonometric features (paper section 2.3): `exp(‖x‖²/2)·(sin ω_rᵀx, cos ω_rᵀx)/√m` for m rows ω, 2m features.
 * Unbiased for exp(xᵀy), but features may be negative and the variance is largest where the kernel is small. The cosine
 * is the sine with a bias of π/2.
 *
 * @param stabiliser added twice to a denominator whose size is at most this
 */
export function trigonometricMap(projection: Projection, stabiliser: number): Features {
  const rows = stackRows(projection, [1, 1]);
  const bias = new Float64Array(rows.numFeatures).fill(Math.PI / 2, projection.directions);
  return { ...rows, map: 'sine', epsilon: 0, bias, weight: 1 / projection.directions, stabiliser };
}
