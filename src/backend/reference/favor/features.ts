/** The features of FAVOR+: x̂ = x · dHead^(-1/4), u = W x̂ + b, D = ‖x̂‖²/2, and a map of u and D. */
import type { Backend, FavorFeatures } from '../../types.ts';
import { dot, rowStart } from '../attention-arrays.ts';
import { floats } from '../storage.ts';
import { type FeatureMap, featureMaps } from './maps.ts';
import { expandProjection } from './projection.ts';

/** The features of one row: φ_r = mantissas_r · exp(exponents_r + norm), in nats. */
export interface FeatureRow {
  readonly mantissas: Float64Array;
  readonly exponents: Float64Array;
  /** The share of D in the logarithm of every feature: −D, D or 0. */
  readonly norm: number;
  /** exp(exponents_r + norm) = 2^scales_r · fractions_r, scales_r an integer: where a state first keeps the features. */
  readonly scales: Float64Array;
  readonly fractions: Float64Array;
  /** exp(exponents_r) = 2^ownScales_r · ownFractions_r, ownScales_r an integer. */
  readonly ownScales: Float64Array;
  readonly ownFractions: Float64Array;
  /** ∂φ_r/∂u_r = slopes_r · exp(exponents_r + norm). */
  readonly slopes: Float64Array;
}

/** exp(x) as an integer power of two and a factor between √½ and √2, or 0. */
function split(exponents: Float64Array): [scales: Float64Array, fractions: Float64Array] {
  const logs = exponents.map((exponent) => exponent * Math.LOG2E);
  return [
    logs.map(Math.round),
    logs.map((log) => (log === Number.NEGATIVE_INFINITY ? 0 : 2 ** (log - Math.round(log)))),
  ];
}

export class Features {
  readonly numFeatures: number;
  /** dHead^(-1/4): x̂ = inputScale · x. */
  readonly inputScale: number;
  readonly map: FeatureMap;
  readonly #rows: readonly Float64Array[];
  readonly #bias: Float64Array | undefined;
  readonly #epsilon: number;

  constructor(args: FavorFeatures, dHead: number) {
    const { numFeatures } = args;
    const matrix = expandProjection(args, floats(args.projection), dHead);
    this.numFeatures = numFeatures;
    this.inputScale = dHead ** -0.25;
    this.map = featureMaps[args.map];
    this.#rows = Array.from({ length: numFeatures }, (_, r) => matrix.subarray(r * dHead, (r + 1) * dHead));
    this.#bias = args.bias ? floats(args.bias, numFeatures) : undefined;
    this.#epsilon = this.map.addsEpsilon ? args.epsilon : 0;
  }

  of(x: Float64Array): FeatureRow {
    const u = new Float64Array(this.numFeatures).map(
      (_, r) => this.inputScale * dot(this.#rows[r], x) + (this.#bias ? this.#bias[r] : 0),
    );
    const halfNorm = (this.inputScale ** 2 * dot(x, x)) / 2;
    const exponents = u.map(this.map.exponent);
    const norm = this.map.normSign * halfNorm;
    const [scales, fractions] = split(exponents.map((exponent) => exponent + norm));
    const [ownScales, ownFractions] = split(exponents);
    return {
      mantissas: u.map((value) => this.map.mantissa(value) + this.#epsilon),
      ...{ exponents, norm, scales, fractions, ownScales, ownFractions },
      slopes: u.map(this.map.slope),
    };
  }

  /** Gradient with respect to x, given those with respect to u and to `norm`. */
  backward(x: Float64Array, dU: Float64Array, dNorm: number): Float64Array {
    return x.map((value, c) => {
      let sum = dNorm * this.map.normSign * value * this.inputScale;
      for (let r = 0; r < this.numFeatures; r++) sum += dU[r] * this.#rows[r][c];
      return sum * this.inputScale;
    });
  }
}

export function favorFeatures(args: Parameters<Backend['favorFeatures']>[0]): void {
  const { batch, heads, length, dHead, layout } = args;
  const features = new Features(args, dHead);
  const x = floats(args.x, batch * heads * length * dHead);
  const out = floats(args.out, batch * heads * length * features.numFeatures);
  for (let b = 0; b < batch; b++) {
    for (let head = 0; head < heads; head++) {
      for (let position = 0; position < length; position++) {
        const at = rowStart(layout, heads, length, dHead, b, head, position);
        const { mantissas, exponents, norm } = features.of(x.subarray(at, at + dHead));
        const row = args.map === 'exponential' ? exponents.map((exponent) => exponent + norm) : mantissas;
        out.set(row, ((b * heads + head) * length + position) * features.numFeatures);
      }
    }
  }
}
