import type { Backend } from '../backend/types.ts';
import { softmaxAttention } from '../tensor/ops/softmax-attention.ts';
import { keep, scope } from '../tensor/scope.ts';
import { scopeUnlessTracked } from '../tensor/tape.ts';
import { Tensor, tensor } from '../tensor/tensor.ts';
import { attentionInputs } from './inputs.ts';
import { denseRuns } from './runs.ts';
import type { AttendOptions, Attention, DecodingSizes, DecodingState, SavedState } from './types.ts';

/**
 * Exact attention `softmax(QKᵀ/√dHead)V`: O(lengthQ·lengthK) time, O(lengthQ) extra memory.
 *
 * @param queries `[batch, heads, lengthQ, dHead]`
 * @param keys `[batch, heads, lengthK, dHead]`
 * @param values `[batch, heads, lengthK, dValue]`
 * @returns `[batch, heads, lengthQ, dValue]`; zeros for a query that sees no valid key
 */
export function exactAttention(queries: Tensor, keys: Tensor, values: Tensor, options: AttendOptions = {}): Tensor {
  return scopeUnlessTracked([queries, keys, values], () =>
    softmaxAttention(attentionInputs(queries, keys, values, options), options),
  );
}

const initialCapacity = 64;

/** All keys and values seen, `[batch, capacity, heads, d]`: grows with the length, doubling. */
export class KeyValueCache implements DecodingState {
  #keys: Tensor;
  #values: Tensor;
  #capacity: number;
  position = 0;
  readonly sizes: DecodingSizes;

  constructor(
    readonly backend: Backend,
    sizes: DecodingSizes,
    capacity = initialCapacity,
  ) {
    this.sizes = sizes;
    this.#capacity = capacity;
    [this.#keys, this.#values] = this.#allocate(capacity);
  }

  get keys(): Tensor {
    return this.#keys;
  }

  get values(): Tensor {
    return this.#values;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Appends `[batch, length, heads, d]`. */
  append(keys: Tensor, values: Tensor): void {
    const length = keys.shape[1];
    if (this.position + length > this.#capacity) this.#grow(this.position + length);
    this.#copyRows(keys, length, 0, this.#keys, this.#capacity, this.position, length);
    this.#copyRows(values, length, 0, this.#values, this.#capacity, this.position, length);
    this.position += length;
  }

  async save(): Promise<SavedState> {
    const [keys, values] = await Promise.all(
      [this.#keys, this.#values].map(async (cache) => {
        const row = cache.size / (this.sizes.batch * this.#capacity);
        const data = await cache.data();
        const packed = new Float32Array(this.sizes.batch * this.position * row);
        for (let b = 0; b < this.sizes.batch; b++) {
          const start = b * this.#capacity * row;
          packed.set(data.subarray(start, start + this.position * row), b * this.position * row);
        }
        return packed;
      }),
    );
    return { type: 'exact', position: this.position, sizes: this.sizes, arrays: { keys, values } };
  }

  dispose(): void {
    this.#keys.dispose();
    this.#values.dispose();
  }

  #allocate(capacity: number): [Tensor, Tensor] {
    const { batch, heads, dHead, dValue } = this.sizes;
    return [
      keep(Tensor.empty(this.backend, [batch, capacity, heads, dHead])),
      keep(Tensor.empty(this.backend, [batch, capacity, heads, dValue])),
    ];
  }

  #grow(needed: number): void {
    const capacity = Math.max(needed, 2 * this.#capacity);
    const [keys, values] = this.#allocate(capacity);
    this.#copyRows(this.#keys, this.#capacity, 0, keys, capacity, 0, this.position);
    this.#copyRows(this.#values, this.#capacity, 0, values, capacity, 0, this.position);
    this.dispose();
    [this.#keys, this.#values, this.#capacity] = [keys, values, capacity];
  }

  #copyRows(
    from: Tensor,
    fromLength: number,
    fromStart: number,
    to: Tensor,
    toLength: number,
    toStart: number,
    length: number,
  ): void {
    const row = from.shape[2] * from.shape[3];
    for (let b = 0; b < this.sizes.batch; b++) {
      const source = this.backend.slice(from.storage, (b * fromLength + fromStart) * row, length * row);
      this.backend.copy(source, this.backend.slice(to.storage, (b * toLength + toStart) * row, length * row));
    }
  }
}

/** Exact attention as a configuration value's meaning. */
export class ExactAttention implements Attention<KeyValueCache> {
  constructor(readonly backend: Backend) {}

  attend(queries: Tensor, keys: Tensor, values: Tensor, options?: AttendOptions): Tensor {
    return exactAttention(queries, keys, values, options);
  }

  createState(sizes: DecodingSizes): KeyValueCache {
    return new KeyValueCache(this.backend, sizes);
  }

  restoreState({ position, sizes, arrays }: SavedState): KeyValueCache {
    const cache = new KeyValueCache(this.backend, sizes, Math.max(initialCapacity, position));
    const { batch, heads, dHead, dValue } = sizes;
    scope(() => {
      cache.append(
        tensor(this.backend, arrays.keys, [batch, position, heads, dHead]),
        tensor(this.backend, arrays.values, [batch, position, heads, dValue]),
      );
    });
    return cache;
  }

  extend(queries: Tensor, keys: Tensor, values: Tensor, state: KeyValueCache): Tensor {
    state.append(keys, values);
    const { batch } = state.sizes;
    return scope(() => {
      const runs = denseRuns(this.backend, batch, queries.shape[1], state.position);
      const inputs = { queries, keys: state.keys, values: state.values, layout: 'blhd', runs } as const;
      return softmaxAttention(inputs, { causal: true });
    });
  }

  buffers(): Map<string, Tensor> {
    return new Map();
  }

  redraw(): void {}

  dispose(): void {}
}
