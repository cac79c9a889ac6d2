/** Memory of a compiled backend, and the checks that keep a kernel inside it. */
import { LifetimeError, ShapeError } from '../../base/errors.ts';
import type { DataType, Storage } from '../types.ts';

export const BYTES: Record<DataType, number> = { float32: 4, float64: 8, int32: 4 };

/** One allocation. A storage and all its slices share the block, so that all end with its release. */
interface Block {
  /** 0 once released. */
  address: number;
}

/** The backend that made a storage. */
type Owner = { readonly name: string };

/** Storage at some bytes of a block. Private fields: whoever holds a storage cannot make it longer than its memory. */
export class CompiledStorage implements Storage {
  readonly #owner: Owner;
  readonly #type: DataType;
  readonly #length: number;
  readonly #block: Block;
  /** Bytes from the start of the block. */
  readonly #offset: number;
  readonly #isSlice: boolean;

  private constructor(owner: Owner, type: DataType, length: number, block: Block, offset: number, isSlice: boolean) {
    this.#owner = owner;
    this.#type = type;
    this.#length = length;
    this.#block = block;
    this.#offset = offset;
    this.#isSlice = isSlice;
  }

  static at(address: number, owner: Owner, type: DataType, length: number): CompiledStorage {
    return new CompiledStorage(owner, type, length, { address }, 0, false);
  }

  /** Whether `value` is a storage of `owner` that has not been released. Proxies and copies are no storages. */
  static belongs(value: unknown, owner: Owner): value is CompiledStorage {
    return (
      typeof value === 'object' &&
      value !== null &&
      #block in value &&
      value.#owner === owner &&
      value.#block.address !== 0
    );
  }

  /**
   * The storage, if `owner` made it and it has not been released.
   * @throws LifetimeError otherwise.
   */
  static of(storage: Storage, owner: Owner): CompiledStorage {
    if (CompiledStorage.belongs(storage, owner)) return storage;
    if (#block in storage && storage.#owner === owner) {
      throw new LifetimeError('This storage has been released and must not be used again.');
    }
    throw new LifetimeError(`This storage does not belong to the ${owner.name} backend that is asked to use it.`);
  }

  get type(): DataType {
    return this.#type;
  }

  get length(): number {
    return this.#length;
  }

  get address(): number {
    return this.#block.address + this.#offset;
  }

  /** `length` elements from `offset` on, in the memory of this storage, read as `type`. */
  part(offset: number, length: number, type: DataType = this.#type): CompiledStorage {
    const start = this.#offset + offset * BYTES[this.#type];
    return new CompiledStorage(this.#owner, type, length, this.#block, start, true);
  }

  /**
   * Ends this storage and its slices, and returns the address that is free now.
   * @throws LifetimeError for a slice.
   */
  end(): number {
    if (this.#isSlice) {
      throw new LifetimeError('A slice cannot be released: release the storage it was cut from.');
    }
    const { address } = this.#block;
    this.#block.address = 0;
    return address;
  }
}

/**
 * The address of storage of `owner` that holds at least `count` elements of `type`.
 * @throws LifetimeError if it is another backend's or released, ShapeError if it is too short or of another type.
 */
export function addressOf(storage: Storage, owner: Owner, type: DataType, count: number): number {
  const own = CompiledStorage.of(storage, owner);
  if (own.type !== type || !(own.length >= count)) {
    throw new ShapeError(
      `A kernel needs ${count} elements of ${type} where the storage holds ${own.length} of ${own.type}.`,
    );
  }
  return own.address;
}
