/** The log-features of FAVOR+: log φ_r(x) = W_r · x̂ + b_r − ‖x̂‖²/2 with x̂ = x · dHead^(-1/4), in nats. */
import type { Backend, FavorFeatures } from '../types.ts';
import { dot, rowStart } from './attention-arrays.ts';
import { floats } from './storage.ts';

export class Features {
  readonly numFeatures: number;
  /** dHead^(-1/4): x̂ = inputScale · x. */
  readonly inputScale: number;
  readonly projection: readonly Float64Array[];
  readonly #bias: Float64Array | undefined;

  constructor(args: FavorFeatures, dHead: number) {
    const { numFeatures } = args;
    const projection = floats(args.projection, numFeatures * dHead);
    this.numFeatures = numFeatures;
    this.inputScale = dHead ** -0.25;
    this.projection = Array.from({ length: numFeatures }, (_, r) => projection.subarray(r * dHead, (r + 1) * dHead));
    this.#bias = args.bias ? floats(args.bias, numFeatures) : undefined;
  }

  /** W x̂ + b, without D. */
  exponents(x: Float64Array): Float64Array {
    return Float64Array.from(
      this.projection,
      (row, r) => this.inputScale * dot(row, x) + (this.#bias ? this.#bias[r] : 0),
    );
  }

  /** W x̂ + b − ‖x̂‖²/2. */
  logFeatures(x: Float64Array): Float64Array {
    const halfNorm = (this.inputScale ** 2 * dot(x, x)) / 2;
    return this.exponents(x).map((exponent) => exponent - halfNorm);
  }

  /** Gradient with respect to x, given that with respect to `logFeatures(x)`: Σ_r g_r (W_r − x̂) · dHead^(-1/4). */
  backward(x: Float64Array, dLogFeatures: Float64Array): Float64Array {
    return x.map((value, c) => {
      let sum = 0;
      for (let r = 0; r < this.numFeatures; r++) {
        sum += dLogFeatures[r] * (this.projection[r][c] - value * this.inputScale);
      }
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
        const logFeatures = features.logFeatures(x.subarray(at, at + dHead));
        out.set(logFeatures, ((b * heads + head) * length + position) * features.numFeatures);
      }
    }
  }
}
