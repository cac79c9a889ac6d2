/** Memory of the reference backend: Float64Array for both float types, Int32Array for int32. */
import { ConfigurationError, LifetimeError, ShapeError } from '../../base/errors.ts';
import type { DataType, FloatArray, Storage } from '../types.ts';

/** One allocation; shared by the storage and all its slices. */
interface Block {
  readonly length: number;
  released: boolean;
}

export class ReferenceStorage implements Storage {
  readonly type: DataType;
  readonly length: number;
  readonly data: Float64Array | Int32Array;
  readonly block: Block;

  constructor(type: DataType, data: Float64Array | Int32Array, block?: Block) {
    this.type = type;
    this.length = data.length;
    this.data = data;
    this.block = block ?? { length: data.length, released: false };
  }
}

function own(storage: Storage): ReferenceStorage {
  if (!(storage instanceof ReferenceStorage)) {
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

/** The numbers of a float storage, which must hold at least `needed` elements. */
export function floats(storage: Storage, needed = 0): Float64Array {
  const { data } = own(storage);
  if (!(data instanceof Float64Array)) {
    throw new ConfigurationError('reference backend: an int32 storage is used as floats; allocate it as float32.');
  }
  checkLength(storage, needed);
  return data;
}

/** The numbers of an int32 storage, which must hold at least `needed` elements. */
export function integers(storage: Storage, needed = 0): Int32Array {
  const { data } = own(storage);
  if (!(data instanceof Int32Array)) {
    throw new ConfigurationError('reference backend: a float storage is used as int32; upload an Int32Array.');
  }
  checkLength(storage, needed);
  return data;
}

/** Allocation, transfer and release, with the number of bytes held. */
export class ReferenceMemory {
  bytesAllocated = 0;

  /** Undefined contents are NaN (int32: the lowest integer), so that a read before a write shows. */
  allocate(length: number, type: DataType = 'float32'): ReferenceStorage {
    const data =
      type === 'int32' ? new Int32Array(length).fill(-2147483648) : new Float64Array(length).fill(Number.NaN);
    this.bytesAllocated += data.byteLength;
    return new ReferenceStorage(type, data);
  }

  upload(data: Float32Array | Float64Array | Int32Array): ReferenceStorage {
    const isInteger = data instanceof Int32Array;
    const copy = isInteger ? new Int32Array(data) : new Float64Array(data);
    this.bytesAllocated += copy.byteLength;
    return new ReferenceStorage(isInteger ? 'int32' : 'float32', copy);
  }

  write(storage: Storage, data: Float32Array | Float64Array | Int32Array, offset = 0): void {
    const target = data instanceof Int32Array ? integers(storage) : floats(storage);
    checkLength(storage, offset + data.length);
    target.set(data, offset);
  }

  read(storage: Storage): FloatArray {
    return new Float64Array(own(storage).data);
  }

  slice(storage: Storage, offset: number, length: number): ReferenceStorage {
    const { type, data, block } = own(storage);
    if (!(offset >= 0 && length >= 0)) {
      throw new ShapeError(`reference backend: slice(${offset}, ${length}) is negative; both must be at least 0.`);
    }
    checkLength(storage, offset + length);
    return new ReferenceStorage(type, data.subarray(offset, offset + length), block);
  }

  release(storage: Storage): void {
    const { block, data } = own(storage);
    if (block.length !== data.length) {
      throw new LifetimeError('reference backend: a slice cannot be released; release the storage it was cut from.');
    }
    block.released = true;
    this.bytesAllocated -= data.byteLength;
  }

  copy(source: Storage, target: Storage): void {
    const numbers = own(source).data;
    checkLength(target, numbers.length);
    own(target).data.set(numbers);
  }
}
