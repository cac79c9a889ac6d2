/**
 * One FAVOR+ state in the documented form, true sum = (sums + compensation) · 2^scale: a state that any backend left
 * can be resumed by any other.
 */
import type { FavorStateArrays } from '../types.ts';
import type { Features } from './favor-features.ts';
import { floats } from './storage.ts';

const LOG2_E = Math.LOG2E;

export class FavorState {
  readonly numFeatures: number;
  /** dValue + 1: the last column is the normaliser. */
  readonly width: number;
  readonly #sums: Float64Array;
  readonly #compensation: Float64Array;
  readonly #scales: Float64Array;

  /** The state of unit `index` (run or batch entry times heads plus head) of the given arrays. */
  constructor(arrays: FavorStateArrays, index: number, numFeatures: number, dValue: number) {
    this.numFeatures = numFeatures;
    this.width = dValue + 1;
    const view = (array: Float64Array, size: number) => array.subarray(index * size, (index + 1) * size);
    this.#sums = view(floats(arrays.sums, (index + 1) * numFeatures * this.width), numFeatures * this.width);
    this.#compensation = view(
      floats(arrays.compensation, (index + 1) * numFeatures * this.width),
      numFeatures * this.width,
    );
    this.#scales = view(floats(arrays.scales, (index + 1) * numFeatures), numFeatures);
  }

  clear(): void {
    this.#sums.fill(0);
    this.#compensation.fill(0);
    this.#scales.fill(Number.NEGATIVE_INFINITY);
  }

  /** Base-2 scale of feature r; -Infinity before the first key. */
  scale(r: number): number {
    return this.#scales[r];
  }

  /** The sum of feature r for `column`, to be multiplied by 2^scale(r). */
  sum(r: number, column: number): number {
    return this.#sums[r * this.width + column] + this.#compensation[r * this.width + column];
  }

  /** Adds one key, given by its log-features in nats, and its value. */
  add(logFeatures: Float64Array, value: Float64Array): void {
    for (let r = 0; r < this.numFeatures; r++) {
      const exponent = logFeatures[r] * LOG2_E;
      const before = this.#scales[r];
      const scale = Math.max(before, Math.round(exponent));
      const decay = before === scale ? 1 : 2 ** (before - scale);
      const weight = 2 ** (exponent - scale);
      this.#scales[r] = scale;
      for (let column = 0; column < this.width; column++) {
        const term = weight * (column < value.length ? value[column] : 1);
        this.#store(r, column, this.sum(r, column) * decay + term);
      }
    }
  }

  /** Splits a sum into float32 high and low parts, so that it survives a move to a float32 backend. */
  #store(r: number, column: number, sum: number): void {
    const high = Math.fround(sum);
    this.#sums[r * this.width + column] = high;
    this.#compensation[r * this.width + column] = sum - high;
  }

  /**
   * Σ_r φ_r(q) · S_r, divided by its own last entry, for a query given by its W x̂ + b in nats (its D cancels).
   * Zeros where there is no key yet.
   */
  read(exponents: Float64Array, out: Float64Array): void {
    const logWeights = exponents.map((exponent, r) => exponent * LOG2_E + this.#scales[r]);
    const max = logWeights.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    out.fill(0);
    if (max === Number.NEGATIVE_INFINITY) return;
    let denominator = 0;
    for (let r = 0; r < this.numFeatures; r++) {
      const weight = 2 ** (logWeights[r] - max);
      if (weight === 0) continue;
      denominator += weight * this.sum(r, this.width - 1);
      for (let column = 0; column < out.length; column++) out[column] += weight * this.sum(r, column);
    }
    for (let column = 0; column < out.length; column++) out[column] /= denominator;
  }
}

/** The state after the given keys: log-features and values, in order. */
export function addKeys(
  state: FavorState,
  features: Features,
  keys: readonly Float64Array[],
  values: readonly Float64Array[],
  isValidKey: (j: number) => boolean,
): void {
  keys.forEach((key, j) => {
    if (isValidKey(j)) state.add(features.logFeatures(key), values[j]);
  });
}
