/** Memory of a compiled backend, and the checks that keep a kernel inside it. */
import { LifetimeError, ShapeError } from '../base/errors.ts';
import type { DataType, Storage } from './types.ts';

export const BYTES: Record<DataType, number> = { float32: 4, float64: 8, int32: 4 };

/** Storage at an address. A slice has no block of its own. */
export class CompiledStorage implements Storage {
  readonly type: DataType;
  readonly length: number;
  /** The backend that made it. */
  readonly owner: { readonly name: string };
  readonly isSlice: boolean;
  /** 0 once released. */
  address: number;

  constructor(owner: CompiledStorage['owner'], type: DataType, length: number, address: number, isSlice: boolean) {
    this.owner = owner;
    this.type = type;
    this.length = length;
    this.address = address;
    this.isSlice = isSlice;
  }
}

/**
 * The address of storage of `owner` that holds at least `count` elements of `type`.
 * @throws if it is another backend's, released, too short or of another type.
 */
export function addressOf(storage: Storage, owner: CompiledStorage['owner'], type: DataType, count: number): number {
  if (!(storage instanceof CompiledStorage) || storage.owner !== owner) {
    throw new LifetimeError(`This storage does not belong to the ${owner.name} backend that is asked to use it.`);
  }
  if (storage.address === 0) throw new LifetimeError('This storage has been released and must not be used again.');
  if (storage.type !== type || !(storage.length >= count)) {
    throw new ShapeError(
      `A kernel needs ${count} elements of ${type} where the storage holds ${storage.length} of ${storage.type}.`,
    );
  }
  return storage.address;
}
