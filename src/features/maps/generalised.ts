import type { Activation } from '../configuration.ts';
import type { Features } from '../features.ts';
import { type Projection, stackRows } from '../projections/projection.ts';

/** What defines a generalised map. */
interface GeneralisedOptions {
  readonly activation: Activation;
  /** Added to every feature. */
  readonly epsilon: number;
  /** Added twice to a denominator whose size is at most this: some activations are negative somewhere. */
  readonly stabiliser: number;
  /** Whether f takes ωᵀx·dHead^(−1/4) or ωᵀx. */
  readonly scaleInputs: boolean;
}

/**
 * Generalised attention (paper section 2.2): `φ_r(x) = (f(ω_rᵀx) + ε)/√m`, which defines a kernel of its own. With f =
 * ReLU this is the paper's Performer-ReLU.
 */
export function generalisedMap(projection: Projection, options: GeneralisedOptions): Features {
  const { activation, epsilon, stabiliser, scaleInputs } = options;
  // The kernels always scale by dHead^(−1/4).
  const rows = stackRows(projection, [scaleInputs ? 1 : projection.dHead ** 0.25]);
  return { ...rows, map: activation, epsilon, weight: 1 / rows.numFeatures, stabiliser };
}
