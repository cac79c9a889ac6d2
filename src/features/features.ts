import type { Estimator } from '../backend/types.ts';

/** Random features as plain numbers: an estimator of a kernel for inputs of width dHead. */
export interface Features extends Estimator {
  /** As the kernels take it (`kernels/description.mjs`, ProjectionForm), by `form`. */
  readonly projection: Float64Array;
  /** b `[numFeatures]`. */
  readonly bias?: Float64Array | undefined;
  /** `K(x, y) ≈ weight·Σ_r φ_r(x) φ_r(y)`. */
  readonly weight: number;
  /** Added twice to a denominator whose size is at most this; 0 where the features are positive. */
  readonly stabiliser: number;
}
