/** The maps f(u) of a feature's exponent u, and their derivatives. */
import type { FeatureMapKind } from '../types.ts';
import { erf } from './elementwise.ts';

interface FeatureMap {
  value(u: number): number;
  derivative(u: number): number;
}

const sigmoid = (u: number) => 1 / (1 + Math.exp(-u));
const normalDensity = (u: number) => Math.exp((-u * u) / 2) / Math.sqrt(2 * Math.PI);
const normalDistribution = (u: number) => (1 + erf(u / Math.SQRT2)) / 2;

/** `exponential` is kept as a logarithm (favor-features.ts): its factor is 1. */
export const featureMaps: Record<Exclude<FeatureMapKind, 'exponential'>, FeatureMap> = {
  sine: { value: Math.sin, derivative: Math.cos },
  relu: { value: (u) => Math.max(u, 0), derivative: (u) => (u > 0 ? 1 : 0) },
  exp: { value: Math.exp, derivative: Math.exp },
  sigmoid: { value: sigmoid, derivative: (u) => sigmoid(u) * sigmoid(-u) },
  abs: { value: Math.abs, derivative: Math.sign },
  gelu: {
    value: (u) => u * normalDistribution(u),
    derivative: (u) => normalDistribution(u) + u * normalDensity(u),
  },
  cos: { value: Math.cos, derivative: (u) => -Math.sin(u) },
  tanh: { value: Math.tanh, derivative: (u) => 1 / Math.cosh(u) ** 2 },
  identity: { value: (u) => u, derivative: () => 1 },
  eluPlusOne: { value: (u) => (u > 0 ? u + 1 : Math.exp(u)), derivative: (u) => (u > 0 ? 1 : Math.exp(u)) },
  square: { value: (u) => u * u, derivative: (u) => 2 * u },
};
