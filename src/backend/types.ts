/**
 * The interface between numeric code and everything above it. A backend owns memory behind opaque {@link Storage}
 * handles and sequences the kernels of `kernels/description.mjs`. Nothing above this layer sees a pointer or a typed array
 * until it awaits {@link Backend.read}.
 *
 * Promises every backend makes:
 * - Calls take effect in the order they are made.
 * - A call that is given anything wrong, such as an id beyond its table, throws a PerformersError before it writes.
 * - Results depend on neither the number of threads nor earlier calls.
 */

import type { Operations, UnaryKind } from './kernels.ts';
import type { NumberArray } from './numbers.ts';
import type { DataType, FloatArray, Storage } from './storage.ts';

export * from './kernels.ts';
export type { DataType, FloatArray, Storage };

/** The functions that stand between linear layers. */
export type ActivationKind = Exclude<UnaryKind, 'exp' | 'log'>;

export type BackendName = 'native' | 'wasm' | 'reference';

/** Memory, and every call of {@link Operations}. */
export interface Backend extends Operations {
  readonly name: BackendName;
  /** One line for people, such as `native avx512, 2 threads`. */
  readonly description: string;
  readonly numThreads: number;
  /** Bytes held now, cached free blocks included. */
  readonly bytesAllocated: number;

  /** New memory with undefined contents. @throws OutOfMemoryError when memory is exhausted. */
  allocate(length: number, type?: DataType): Storage;
  /**
   * Copies numbers in.
   *
   * @param type default: int32 for typed arrays of integers and for bigint, float32 for typed arrays of floats and for
   *   plain arrays of numbers. A Uint16Array holds integers, even where half-precision floats were read as integers.
   * @throws DataError for a number that `type` cannot hold; fractions are rounded to float32.
   */
  upload(data: NumberArray, type?: 'float32' | 'int32'): Storage;
  /** Overwrites existing memory from element `offset` on, with numbers converted to its type as by {@link Backend.upload}. */
  write(storage: Storage, data: NumberArray, offset?: number): void;
  /** Copies numbers out, after all earlier calls. float64 storage and the reference backend give Float64Array. */
  read(storage: Storage): Promise<FloatArray>;
  /** A window onto `storage` that shares its memory and needs no release. */
  slice(storage: Storage, offset: number, length: number): Storage;
  /** Returns memory; `storage` and its slices must not be used again. */
  release(storage: Storage): void;
  /** Gives cached free blocks back to the system, as after a pass much larger than what follows. */
  trim(): void;
  /** Ends threads and frees everything. */
  close(): void;

  copy(source: Storage, target: Storage): void;
}
