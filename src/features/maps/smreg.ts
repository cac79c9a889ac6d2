import type { Features } from '../features.ts';
import type { Projection } from '../projections/projection.ts';
import { positiveMap } from './positive.ts';

/**
 * Features of the regularised softmax kernel (paper Theorem 1): the positive map over rows of length √dHead. An unbiased
 * estimate of `SMREG(x, y) = exp(−(‖x‖² + ‖y‖²)/2)·₀F₁(; dHead/2; dHead·‖x + y‖²/4)`, which is at most exp(xᵀy) and
 * close to it when dHead is large.
 *
 * @param projection with regularised norms
 */
export function smregMap(projection: Projection): Features {
  return positiveMap(projection);
}
