import type { Estimator } from '../backend/types.ts';
import type { Random } from '../tensor/random.ts';
import type { FeatureConfiguration } from './configuration.ts';
import { positiveMap } from './maps/positive.ts';
import { drawProjection } from './projection.ts';

/** Random features as plain numbers: an estimator of a kernel for inputs of width dHead. */
export interface Features extends Estimator {
  /** As the kernels take it (`kernels/kernels.h`, ESTIMATOR), by `form`. */
  readonly projection: Float64Array;
  /** b `[numFeatures]`. */
  readonly bias?: Float64Array | undefined;
  /** `K(x, y) ≈ weight·Σ_r φ_r(x) φ_r(y)`. */
  readonly weight: number;
  /** Added twice to a denominator whose size is at most this; 0 where the features are positive. */
  readonly stabiliser: number;
}

/**
 * Draws the features of a configuration for heads of width dHead, from `random` alone.
 *
 * @throws when the configuration does not fit dHead.
 */
export function drawFeatures(configuration: FeatureConfiguration, dHead: number, random: Random): Features {
  const { numFeatures, projection: kind = 'orthogonal' } = configuration;
  return positiveMap(drawProjection({ kind, numFeatures, dHead }, random), numFeatures);
}
