/** Memory of a compiled backend, and the checks that keep a kernel inside it. */
import { LifetimeError, ShapeError } from '../../base/errors.ts';
import type { DataType, Storage } from '../types.ts';

export const BYTES: Record<DataType, number> = { float32: 4, float64: 8, int32: 4 };

/** One allocation, shared by the storage and all its slices, so that all end with its release. */
export interface Block {
  /** 0 once released. */
  address: number;
}

/** Storage at some bytes of a block. A slice has no block of its own. */
export class CompiledStorage implements Storage {
  readonly type: DataType;
  readonly length: number;
  /** The backend that made it. */
  readonly owner: { readonly name: string };
  readonly block: Block;
  /** Bytes from the start of the block. */
  readonly offset: number;
  readonly isSlice: boolean;

  constructor(
    owner: CompiledStorage['owner'],
    type: DataType,
    length: number,
    block: Block,
    slice?: { readonly offset: number },
  ) {
    this.owner = owner;
    this.type = type;
    this.length = length;
    this.block = block;
    this.offset = slice?.offset ?? 0;
    this.isSlice = slice !== undefined;
    // Whoever holds a storage could otherwise make it longer than its memory.
    Object.freeze(this);
  }
}

/**
 * The storage, if it is one of `owner` that has not been released.
 * @throws LifetimeError otherwise.
 */
export function ownStorage(storage: Storage, owner: CompiledStorage['owner']): CompiledStorage {
  if (!(storage instanceof CompiledStorage) || storage.owner !== owner) {
    throw new LifetimeError(`This storage does not belong to the ${owner.name} backend that is asked to use it.`);
  }
  if (storage.block.address === 0)
    throw new LifetimeError('This storage has been released and must not be used again.');
  return storage;
}

/**
 * The address of storage of `owner` that holds at least `count` elements of `type`.
 * @throws if it is another backend's, released, too short or of another type.
 */
export function addressOf(storage: Storage, owner: CompiledStorage['owner'], type: DataType, count: number): number {
  const own = ownStorage(storage, owner);
  if (own.type !== type || !(own.length >= count)) {
    throw new ShapeError(
      `A kernel needs ${count} elements of ${type} where the storage holds ${own.length} of ${own.type}.`,
    );
  }
  return own.block.address + own.offset;
}
