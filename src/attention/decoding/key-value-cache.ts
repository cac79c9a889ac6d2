import type { Backend } from '../../backend/types.ts';
import { ConfigurationError } from '../../base/errors.ts';
import { checkArguments, type OptionKind, option } from '../../base/options.ts';
import { keep, scope } from '../../tensor/scope.ts';
import { backendKind, Tensor, tensor } from '../../tensor/tensor.ts';
import type { DecodingSizes, DecodingState } from '../types.ts';
import { checkStep } from './check-step.ts';
import { slicedSizes, stackedSizes } from './favor-state.ts';
import { checkArray, decodingSizesKind, parseSavedState, type SavedState, type SavedStateJson } from './saved-state.ts';

const initialCapacity = 64;

/** All keys and values seen, `[batch, capacity, heads, d]`: grows with the length, doubling. */
export class KeyValueCache implements DecodingState {
  #keys: Tensor;
  #values: Tensor;
  #capacity: number;
  #position = 0;

  /** Whether the constructor made `value`. False for proxies and objects that only have the prototype. */
  static is(value: unknown): value is KeyValueCache {
    return typeof value === 'object' && value !== null && #keys in value;
  }

  /** The state before any token. */
  constructor(
    readonly backend: Backend,
    readonly sizes: DecodingSizes,
    capacity = initialCapacity,
  ) {
    checkArguments(
      'KeyValueCache',
      { backend, sizes, capacity },
      {
        backend: backendKind,
        sizes: decodingSizesKind,
        capacity: option.natural,
      },
    );
    this.#capacity = Math.max(1, capacity);
    [this.#keys, this.#values] = this.#allocate(this.#capacity);
  }

  /** @throws ConfigurationError when the state is one of FAVOR+, its rows differ in position, or its arrays do not fit its sizes. */
  static restore(backend: Backend, given: SavedState): KeyValueCache {
    const saved = parseSavedState(given);
    if (saved.type !== 'exact') {
      throw new ConfigurationError('This state is one of FAVOR+: restore it with the attention that saved it.');
    }
    const { sizes, positions, arrays } = saved;
    const { batch, heads, dHead, dValue } = sizes;
    const position = commonPosition(positions);
    checkArray('keys', arrays.keys, batch * position * heads * dHead);
    checkArray('values', arrays.values, batch * position * heads * dValue);
    const cache = new KeyValueCache(backend, sizes, Math.max(initialCapacity, position));
    scope(() => {
      cache.append(
        tensor(backend, arrays.keys, [batch, position, heads, dHead]),
        tensor(backend, arrays.values, [batch, position, heads, dValue]),
      );
    });
    return cache;
  }

  /**
   * One cache whose batch rows are those of `caches`, in order; these stay as they are.
   *
   * @throws ConfigurationError when the caches differ in position, heads or widths, or the list is empty.
   */
  static stack(caches: readonly KeyValueCache[]): KeyValueCache {
    checkArguments('KeyValueCache.stack', { caches }, { caches: option.listOf(keyValueCacheKind) });
    const sizes = stackedSizes(caches);
    const position = commonPosition(caches.map((cache) => cache.position));
    const [{ backend }] = caches;
    const stacked = new KeyValueCache(backend, sizes, Math.max(...caches.map(({ capacity }) => capacity)));
    let row = 0;
    for (const cache of caches) {
      stacked.#copyFrom(cache, 0, row, cache.sizes.batch);
      row += cache.sizes.batch;
    }
    stacked.#position = position;
    return stacked;
  }

  get position(): number {
    return this.#position;
  }

  /** `[batch, capacity, heads, dHead]`, of which `position` rows count. */
  get keys(): Tensor {
    return this.#keys;
  }

  /** `[batch, capacity, heads, dValue]` likewise. */
  get values(): Tensor {
    return this.#values;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Appends `[batch, length, heads, d]`. */
  append(keys: Tensor, values: Tensor): void {
    checkStep('KeyValueCache.append', this, keyValueCacheKind, { keys, values });
    const length = keys.shape[1];
    if (this.#position + length > this.#capacity) this.#grow(this.#position + length);
    for (let b = 0; b < this.sizes.batch; b++) {
      this.#copyRows(keys, length, b, this.#keys, b, this.#position, length);
      this.#copyRows(values, length, b, this.#values, b, this.#position, length);
    }
    this.#position += length;
  }

  slice(start: number, end: number): KeyValueCache {
    const part = new KeyValueCache(this.backend, slicedSizes(this.sizes, start, end), this.#capacity);
    part.#copyFrom(this, start, 0, end - start);
    part.#position = this.#position;
    return part;
  }

  clone(): KeyValueCache {
    return this.slice(0, this.sizes.batch);
  }

  async save(): Promise<SavedState> {
    const { batch } = this.sizes;
    const [keys, values] = await Promise.all(
      [this.#keys, this.#values].map(async (cache) => {
        const row = cache.size / (batch * this.#capacity);
        const data = await cache.data();
        const packed = new Float32Array(batch * this.#position * row);
        for (let b = 0; b < batch; b++) {
          const start = b * this.#capacity * row;
          packed.set(data.subarray(start, start + this.#position * row), b * this.#position * row);
        }
        return packed;
      }),
    );
    const positions = new Array(batch).fill(this.#position);
    return { type: 'exact', positions, sizes: this.sizes, arrays: { keys, values } };
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
    const grown = new KeyValueCache(this.backend, this.sizes, Math.max(needed, 2 * this.#capacity));
    grown.#copyFrom(this, 0, 0, this.sizes.batch);
    this.dispose();
    [this.#keys, this.#values, this.#capacity] = [grown.#keys, grown.#values, grown.#capacity];
  }

  /** Copies what `from` holds of `count` batch rows. */
  #copyFrom(from: KeyValueCache, fromRow: number, toRow: number, count: number): void {
    for (let b = 0; b < count; b++) {
      this.#copyRows(from.#keys, from.#capacity, fromRow + b, this.#keys, toRow + b, 0, from.#position);
      this.#copyRows(from.#values, from.#capacity, fromRow + b, this.#values, toRow + b, 0, from.#position);
    }
  }

  /** Copies the first `length` positions of a batch row of `from` to those from `start` on of a batch row of `to`. */
  #copyRows(
    from: Tensor,
    fromCapacity: number,
    fromRow: number,
    to: Tensor,
    toRow: number,
    start: number,
    length: number,
  ): void {
    const width = from.shape[2] * from.shape[3];
    const source = this.backend.slice(from.storage, fromRow * fromCapacity * width, length * width);
    const target = this.backend.slice(to.storage, (toRow * this.#capacity + start) * width, length * width);
    this.backend.copy(source, target);
  }
}

export const keyValueCacheKind: OptionKind = option.made('a KeyValueCache', KeyValueCache.is);

function commonPosition(positions: readonly number[]): number {
  const [first] = positions;
  if (positions.every((position) => position === first)) return first;
  throw new ConfigurationError(
    `A key-value cache holds sequences of one length, not of ${positions.join(', ')}; stack those of equal position.`,
  );
}

/** What attentions that decode from a {@link KeyValueCache} have in common. */
export abstract class CachedAttention {
  constructor(readonly backend: Backend) {}

  createState(sizes: DecodingSizes): KeyValueCache {
    return new KeyValueCache(this.backend, sizes);
  }

  restoreState(saved: SavedState | SavedStateJson): KeyValueCache {
    return KeyValueCache.restore(this.backend, parseSavedState(saved));
  }

  stackStates(states: readonly KeyValueCache[]): KeyValueCache {
    return KeyValueCache.stack(states);
  }
}
