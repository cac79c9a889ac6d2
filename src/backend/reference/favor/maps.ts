/** Every feature map as φ = mantissa(u) · exp(exponent(u) + normSign · D), D = ‖x̂‖²/2, and its slope in u. */
import type { FeatureMapKind } from '../../types.ts';
import { erf } from '../elementwise.ts';

export interface FeatureMap {
  readonly mantissa: (u: number) => number;
  /** ∂φ/∂u = slope(u) · exp(exponent(u) + normSign · D). */
  readonly slope: (u: number) => number;
  readonly exponent: (u: number) => number;
  readonly normSign: -1 | 0 | 1;
  /** Whether the estimator's epsilon is added to the mantissa. */
  readonly addsEpsilon: boolean;
}

function plain(mantissa: (u: number) => number, slope: (u: number) => number): FeatureMap {
  return { mantissa, slope, exponent: () => 0, normSign: 0, addsEpsilon: true };
}

const sigmoid = (u: number) => 1 / (1 + Math.exp(-u));
const normalDistribution = (u: number) => (1 + erf(u / Math.SQRT2)) / 2;
const normalDensity = (u: number) => Math.exp((-u * u) / 2) / Math.sqrt(2 * Math.PI);

export const featureMaps: Record<FeatureMapKind, FeatureMap> = {
  exponential: { mantissa: () => 1, slope: () => 1, exponent: (u) => u, normSign: -1, addsEpsilon: false },
  sine: { mantissa: Math.sin, slope: Math.cos, exponent: () => 0, normSign: 1, addsEpsilon: false },
  relu: plain(
    (u) => Math.max(u, 0),
    (u) => (u > 0 ? 1 : 0),
  ),
  exp: plain(Math.exp, Math.exp),
  sigmoid: plain(sigmoid, (u) => sigmoid(u) * sigmoid(-u)),
  abs: plain(Math.abs, Math.sign),
  gelu: plain(
    (u) => u * normalDistribution(u),
    (u) => normalDistribution(u) + u * normalDensity(u),
  ),
  cos: plain(Math.cos, (u) => -Math.sin(u)),
  tanh: plain(Math.tanh, (u) => 1 / Math.cosh(u) ** 2),
  identity: plain(
    (u) => u,
    () => 1,
  ),
  eluPlusOne: plain(
    (u) => (u > 0 ? u + 1 : Math.exp(u)),
    (u) => (u > 0 ? 1 : Math.exp(u)),
  ),
  square: plain(
    (u) => u * u,
    (u) => 2 * u,
  ),
};
