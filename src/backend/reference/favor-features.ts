/**
 * The features of an estimator, as factor · exp(log): with x̂ = x · dHead^(-1/4), u = W x̂ + b and D = ‖x̂‖²/2,
 *
 * | map | factor | log |
 * |---|---|---|
 * | exponential | 1 | u − D |
 * | sine | sin u | D |
 * | others | f(u) + epsilon | 0 |
 */

import { projectionLength } from '../estimator.ts';
import type { Backend, FavorFeatures } from '../types.ts';
import { dot, rowStart } from './attention-arrays.ts';
import { featureMaps } from './favor-map.ts';
import { expandProjection } from './favor-projection.ts';
import { floats } from './storage.ts';

/** Features of one row. */
export interface FeatureRow {
  /** φ_r = factors[r] · exp(logs[r]). */
  readonly factors: Float64Array;
  readonly logs: Float64Array;
  /** ∂φ_r/∂u_r = slopes[r] · exp(logs[r]). */
  readonly slopes: Float64Array;
  /** The share of D in the logs, which cancels where a query's row is divided by its sum. */
  readonly common: number;
}

export class Features {
  readonly numFeatures: number;
  /** dHead^(-1/4): x̂ = inputScale · x. */
  readonly inputScale: number;
  /** W, row by row. */
  readonly projection: readonly Float64Array[];
  readonly #bias: Float64Array | undefined;
  readonly #map: FavorFeatures['map'];
  readonly #epsilon: number;

  constructor(args: FavorFeatures, dHead: number) {
    const { numFeatures, map, epsilon } = args;
    const projection = expandProjection(args, floats(args.projection, projectionLength(args, dHead)), dHead);
    this.numFeatures = numFeatures;
    this.inputScale = dHead ** -0.25;
    this.projection = Array.from({ length: numFeatures }, (_, r) => projection.subarray(r * dHead, (r + 1) * dHead));
    this.#bias = args.bias ? floats(args.bias, numFeatures) : undefined;
    this.#map = map;
    this.#epsilon = map === 'sine' ? 0 : epsilon;
  }

  /** ∂log φ/∂D: −1, 1 or 0. */
  get normSign(): number {
    return this.#map === 'exponential' ? -1 : this.#map === 'sine' ? 1 : 0;
  }

  row(x: Float64Array): FeatureRow {
    const halfNorm = (this.inputScale ** 2 * dot(x, x)) / 2;
    const common = this.normSign * halfNorm || 0;
    const u = Float64Array.from(
      this.projection,
      (row, r) => this.inputScale * dot(row, x) + (this.#bias ? this.#bias[r] : 0),
    );
    if (this.#map === 'exponential') {
      const ones = new Float64Array(this.numFeatures).fill(1);
      return { factors: ones, logs: u.map((exponent) => exponent + common), slopes: ones, common };
    }
    const { value, derivative } = featureMaps[this.#map];
    return {
      factors: u.map((exponent) => value(exponent) + this.#epsilon),
      logs: new Float64Array(this.numFeatures).fill(common),
      slopes: u.map(derivative),
      common,
    };
  }

  /** Gradient with respect to x from those with respect to u and to D. */
  backward(x: Float64Array, dU: Float64Array, dHalfNorm: number): Float64Array {
    return x.map((value, c) => {
      let sum = dHalfNorm * value * this.inputScale;
      for (let r = 0; r < this.numFeatures; r++) sum += dU[r] * this.projection[r][c];
      return sum * this.inputScale;
    });
  }
}

export function favorFeatures(args: Parameters<Backend['favorFeatures']>[0]): void {
  const { batch, heads, length, dHead, layout, map } = args;
  const features = new Features(args, dHead);
  const x = floats(args.x, batch * heads * length * dHead);
  const out = floats(args.out, batch * heads * length * features.numFeatures);
  for (let b = 0; b < batch; b++) {
    for (let head = 0; head < heads; head++) {
      for (let position = 0; position < length; position++) {
        const at = rowStart(layout, heads, length, dHead, b, head, position);
        const { factors, logs } = features.row(x.subarray(at, at + dHead));
        out.set(
          map === 'exponential' ? logs : factors,
          ((b * heads + head) * length + position) * features.numFeatures,
        );
      }
    }
  }
}
