import type { Activation } from '../configuration.ts';
import type { Features } from '../features.ts';
import { type Projection, stackRows } from '../projections/projection.ts';

/** What defines a generalised map. */
export interface GeneralisedOptions {
  readonly activation: Activation;
  /** Added to every feature. */
  readonly epsilon: number;
  /** Added twice to a denominator whose size is at most this: some activations are negative somewhere. */
  readonly stabiliser: number;
}

/**
 * Generalised attention (paper section 2.2): `φ_r(x) = (f(ω_rᵀx) + ε)/√m`, which defines a kernel of its own; with f =
 * ReLU the paper's Performer-ReLU.
 */
export function generalisedMap(projection: Projection, options: GeneralisedOptions): Features {
  const { activation, epsilon, stabiliser } = options;
  const rows = stackRows(projection, [1]);
  return { ...rows, map: activation, epsilon, weight: 1 / rows.numFeatures, stabiliser };
}
