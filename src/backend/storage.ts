/** Memory of a backend, as everything above sees it. */
import type { DataType } from './numbers.ts';

export type { DataType };

/** Numbers read from a backend: Float32Array, but Float64Array from the reference backend. */
export type FloatArray = Float32Array | Float64Array;

/** Memory owned by a backend. Opaque: only the backend that made it can read it. */
export interface Storage {
  readonly type: DataType;
  /** Number of elements. */
  readonly length: number;
}
