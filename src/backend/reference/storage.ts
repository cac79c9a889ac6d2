/** Memory of the reference backend: Float64Array for both float types, Int32Array for int32. */
import { LifetimeError, messageOf, OutOfMemoryError, ShapeError } from '../../base/errors.ts';
import type { PlainNumbers } from '../numbers.ts';
import type { DataType, FloatArray, Storage } from '../types.ts';

/** One allocation; shared by the storage and all its slices. */
interface Block {
  readonly owner: ReferenceMemory;
  released: boolean;
}

class ReferenceStorage implements Storage {
  readonly type: DataType;
  readonly length: number;
  readonly data: Float64Array | Int32Array;
  readonly block: Block;
  readonly isSlice: boolean;
  readonly #made = true;

  /** False for objects that only have the prototype. */
  static is(value: Storage): value is ReferenceStorage {
    return #made in value;
  }

  constructor(type: DataType, data: Float64Array | Int32Array, block: Block, isSlice: boolean) {
    this.type = type;
    this.length = data.length;
    this.data = data;
    this.block = block;
    this.isSlice = isSlice;
    Object.freeze(this);
  }
}

function own(storage: Storage): ReferenceStorage {
  if (!ReferenceStorage.is(storage)) {
    throw new LifetimeError(
      'reference backend: this storage belongs to another backend; upload its numbers here first.',
    );
  }
  if (storage.block.released) {
    throw new LifetimeError(
      'reference backend: this storage was used after its release; release it after its last use.',
    );
  }
  return storage;
}

function checkLength(storage: Storage, needed: number): void {
  if (storage.length < needed) {
    throw new ShapeError(
      `reference backend: a storage of ${storage.length} elements is used as ${needed}; check the sizes of this call.`,
    );
  }
}

/** The numbers of a storage, which must be an `array` of at least `needed` elements. */
function numbersOf<T>(storage: Storage, needed: number, array: abstract new () => T, advice: string): T {
  const { data } = own(storage);
  if (!(data instanceof array)) throw new ShapeError(`reference backend: ${advice}.`);
  checkLength(storage, needed);
  return data;
}

/** The numbers of a float storage, which must hold at least `needed` elements. */
export function floats(storage: Storage, needed = 0): Float64Array {
  const advice = 'an int32 storage is used as floats; allocate it as float32';
  return numbersOf(storage, needed, Float64Array, advice);
}

/** The numbers of an int32 storage, which must hold at least `needed` elements. */
export function integers(storage: Storage, needed = 0): Int32Array {
  const advice = 'a float storage is used as int32; upload an Int32Array';
  return numbersOf(storage, needed, Int32Array, advice);
}

/** Numbers of one allocation: 2 GiB. More would keep a machine busy for minutes, or fill its memory. */
const MAX_LENGTH = 2 ** 28;

/** Allocation, transfer and release, with the number of bytes held. */
export class ReferenceMemory {
  bytesAllocated = 0;
  #closed = false;

  /** Undefined contents are NaN (int32: the lowest integer), so that a read before a write shows. */
  allocate(length: number, type: DataType = 'float32'): ReferenceStorage {
    if (length > MAX_LENGTH) {
      throw new OutOfMemoryError(
        `The reference backend cannot allocate ${length} numbers, more than ${MAX_LENGTH}: use native or wasm.`,
      );
    }
    try {
      return this.#hold(
        type === 'int32' ? new Int32Array(length).fill(-2147483648) : new Float64Array(length).fill(Number.NaN),
        type,
      );
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new OutOfMemoryError(
        `The reference backend cannot allocate ${length} numbers (${messageOf(error)}): use a smaller batch or length.`,
      );
    }
  }

  upload(data: PlainNumbers): ReferenceStorage {
    return data instanceof Int32Array
      ? this.#hold(new Int32Array(data), 'int32')
      : this.#hold(new Float64Array(data), 'float32');
  }

  #hold(data: Float64Array | Int32Array, type: DataType): ReferenceStorage {
    this.checkOpen();
    this.bytesAllocated += data.byteLength;
    return new ReferenceStorage(type, data, { owner: this, released: false }, false);
  }

  write(storage: Storage, data: PlainNumbers, offset = 0): void {
    checkLength(storage, offset + data.length);
    own(storage).data.set(data, offset);
  }

  read(storage: Storage): FloatArray {
    return new Float64Array(own(storage).data);
  }

  /** @throws LifetimeError unless the storage is this memory's, and neither is released. */
  own(storage: Storage): void {
    this.checkOpen();
    if (own(storage).block.owner === this) return;
    throw new LifetimeError('This storage does not belong to the reference backend that is asked to use it.');
  }

  owns(storage: unknown): storage is Storage {
    const isOwn = storage instanceof ReferenceStorage && storage.block.owner === this;
    return isOwn && !storage.block.released && !this.#closed;
  }

  peek(storage: Storage, count: number): Int32Array | FloatArray {
    return own(storage).data.slice(0, count);
  }

  slice(storage: Storage, offset: number, length: number): ReferenceStorage {
    const { type, data, block } = own(storage);
    return new ReferenceStorage(type, data.subarray(offset, offset + length), block, true);
  }

  release(storage: Storage): void {
    if (this.#closed) return;
    this.own(storage);
    const { block, data, isSlice } = own(storage);
    if (isSlice) {
      throw new LifetimeError('reference backend: a slice cannot be released; release the storage it was cut from.');
    }
    block.released = true;
    this.bytesAllocated -= data.byteLength;
  }

  copy(source: Storage, target: Storage): void {
    own(target).data.set(own(source).data);
  }

  checkOpen(): void {
    if (this.#closed) {
      throw new LifetimeError('This reference backend is closed: create another with createBackend().');
    }
  }

  close(): void {
    this.#closed = true;
    this.bytesAllocated = 0;
  }
}
