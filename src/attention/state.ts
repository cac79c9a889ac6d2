import type { Backend, FavorStateArrays } from '../backend/types.ts';
import { keep } from '../tensor/scope.ts';
import { Tensor, tensor } from '../tensor/tensor.ts';
import type { DecodingSizes, DecodingState, SavedState } from './types.ts';

/**
 * The past in constant size: for every (batch, head), `Σ_j φ(k_j)[v_j, 1]` with one power-of-two scale per feature.
 * `sums` and `compensation` (low-order parts) are `[batch, heads, numFeatures, dValue + 1]`, `scales` (integers, base 2)
 * `[batch, heads, numFeatures]`; the true sum is `(sums + compensation)·2^scale`.
 */
export class FavorState implements DecodingState {
  readonly #sums: Tensor;
  readonly #compensation: Tensor;
  readonly #scales: Tensor;

  private constructor(
    readonly sizes: DecodingSizes,
    sums: Tensor,
    compensation: Tensor,
    scales: Tensor,
    public position: number,
  ) {
    this.#sums = keep(sums);
    this.#compensation = keep(compensation);
    this.#scales = keep(scales);
  }

  /** The state before any token. */
  static empty(backend: Backend, sizes: DecodingSizes, numFeatures: number): FavorState {
    const { batch, heads, dValue } = sizes;
    const shape = [batch, heads, numFeatures, dValue + 1];
    const scales = Tensor.empty(backend, [batch, heads, numFeatures]);
    backend.fill(scales.storage, Number.NEGATIVE_INFINITY);
    return new FavorState(sizes, Tensor.zeros(backend, shape), Tensor.zeros(backend, shape), scales, 0);
  }

  /** @throws when the arrays do not fit the sizes. */
  static restore(backend: Backend, { sizes, arrays, position }: SavedState): FavorState {
    const { batch, heads, dValue } = sizes;
    const numFeatures = arrays.scales.length / (batch * heads);
    const shape = [batch, heads, numFeatures, dValue + 1];
    return new FavorState(
      sizes,
      tensor(backend, arrays.sums, shape),
      tensor(backend, arrays.compensation, shape),
      tensor(backend, arrays.scales, [batch, heads, numFeatures]),
      position,
    );
  }

  get arrays(): FavorStateArrays {
    return { sums: this.#sums.storage, compensation: this.#compensation.storage, scales: this.#scales.storage };
  }

  async save(): Promise<SavedState> {
    const [sums, compensation, scales] = await Promise.all(
      [this.#sums, this.#compensation, this.#scales].map(async (array) => Float32Array.from(await array.data())),
    );
    return { type: 'favor', position: this.position, sizes: this.sizes, arrays: { sums, compensation, scales } };
  }

  dispose(): void {
    this.#sums.dispose();
    this.#compensation.dispose();
    this.#scales.dispose();
  }
}
