/** What a trace knows of one call of a backend. */
import type { AttentionLayout } from '../kernels.ts';
import type { Storage } from '../storage.ts';

export interface CallArray {
  readonly name: string;
  readonly role: 'in' | 'out' | 'inout';
  /** Undefined where an optional array is absent. */
  readonly storage: Storage | undefined;
  readonly shape: readonly number[];
  /** Elements from one entry of an axis to the next. Default: dense. */
  readonly strides?: readonly number[];
  /** Only rows within the runs are written: those of the queries, or of the keys. */
  readonly rows?: 'queries' | 'keys';
  readonly holdsInfinities?: boolean;
  readonly isPartlyWritten?: boolean;
}

export interface Call {
  readonly arrays: readonly CallArray[];
  readonly flops: number;
}

export const call = (flops: number, arrays: readonly CallArray[]): Call => ({ flops, arrays });

export function callArray(
  role: CallArray['role'],
  name: string,
  storage: Storage | undefined,
  shape: readonly number[],
  more: Pick<CallArray, 'strides' | 'rows' | 'holdsInfinities' | 'isPartlyWritten'> = {},
): CallArray {
  return { name, role, storage, shape, ...more };
}

/** The length of the first axis of an array, from those of the others. */
export function rowsOf({ length }: Storage, ...others: readonly number[]): number {
  const row = others.reduce((product, each) => product * each, 1);
  return row === 0 ? 0 : Math.floor(length / row);
}

/** Strides of an attention array whose axes are named [batch, heads, length, width], whichever order its memory has. */
export function headStrides(layout: AttentionLayout, heads: number, length: number, width: number): number[] {
  const [head, row] = layout === 'bhld' ? [length * width, width] : [width, heads * width];
  return [heads * length * width, head, row, 1];
}
