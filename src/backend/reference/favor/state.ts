/**
 * One FAVOR+ state in the documented form, true sum = (sums + compensation) · 2^scale: a state that any backend left
 * can be resumed by any other.
 */
import type { FavorResult, FavorStateArrays } from '../../types.ts';
import { floats } from '../storage.ts';
import type { FeatureRow, Features } from './features.ts';
import { divisorOf, type Unit, weightOf } from './unit.ts';

export class FavorState {
  readonly numFeatures: number;
  /** dValue + 1: the last column is the normaliser. */
  readonly width: number;
  readonly #sums: Float64Array;
  readonly #compensation: Float64Array;
  readonly #scales: Float64Array;

  /** The state of unit `index` (sequence or batch entry times heads plus head) of the given arrays. */
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

  /** Base-2 scale of every feature; -Infinity before the first key. */
  get scales(): Float64Array {
    return this.#scales.slice();
  }

  /** The sum of feature r for `column`, to be multiplied by 2^scales[r]. */
  sum(r: number, column: number): number {
    return this.#sums[r * this.width + column] + this.#compensation[r * this.width + column];
  }

  /** Adds one key and its value. */
  add(key: FeatureRow, value: Float64Array): void {
    for (let r = 0; r < this.numFeatures; r++) {
      const before = this.#scales[r];
      const scale = Math.max(before, key.scales[r]);
      const decay = before === scale ? 1 : 2 ** (before - scale);
      const weight = key.fractions[r] === 0 ? 0 : key.mantissas[r] * key.fractions[r] * 2 ** (key.scales[r] - scale);
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

  /** φ_r(query) · 2^scale_r for every feature, in `unit`: the weights of the sums. */
  weights(query: FeatureRow, unit: Unit): Float64Array {
    return query.mantissas.map((mantissa, r) => mantissa * weightOf(query, r, this.#scales[r], unit));
  }

  /** Σ_r φ_r(query) · S_r over its divisor. Zeros where there is no key yet. */
  read(query: FeatureRow, unit: Unit, result: FavorResult, out: Float64Array): void {
    out.fill(0);
    if (unit.log2 === Number.NEGATIVE_INFINITY) return;
    const weights = this.weights(query, unit);
    const total = (column: number) =>
      weights.reduce((sum, weight, r) => (weight === 0 ? sum : sum + weight * this.sum(r, column)), 0);
    const divisor = divisorOf(total(this.width - 1), unit, result);
    if (divisor === 0) return;
    for (let column = 0; column < out.length; column++) out[column] = total(column) / divisor;
  }
}

/** Adds the given keys and values, in order. */
export function addKeys(
  state: FavorState,
  features: Features,
  keys: readonly Float64Array[],
  values: readonly Float64Array[],
  isValidKey: (j: number) => boolean,
): void {
  keys.forEach((key, j) => {
    if (isValidKey(j)) state.add(features.of(key), values[j]);
  });
}
