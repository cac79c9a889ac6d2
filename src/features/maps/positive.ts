import { exponentialEstimator } from '../../backend/estimator.ts';
import type { Features } from '../features.ts';

/**
 * Positive features (paper Lemma 1): `φ_r(x) = exp(ω_rᵀx − ‖x‖²/2)/√m`, an unbiased estimate of exp(xᵀy) that is never
 * negative. The kernels compute this form directly: the rows ω are the projection, and there is no bias.
 */
export function positiveMap(projection: Float64Array, numFeatures: number): Features {
  return { ...exponentialEstimator(numFeatures), projection, weight: 1 / numFeatures, stabiliser: 0 };
}
