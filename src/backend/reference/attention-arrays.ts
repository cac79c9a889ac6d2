/** Where a row of an attention array is, and which keys a query sees. */
import { type AttentionArrays, type AttentionLayout, SEQUENCE_COLUMNS } from '../types.ts';
import { floats, integers } from './storage.ts';

/** First element of row (batch, head, position) of an attention array whose rows have `width` elements. */
export function rowStart(
  layout: AttentionLayout,
  heads: number,
  length: number,
  width: number,
  batch: number,
  head: number,
  position: number,
): number {
  return layout === 'bhld'
    ? ((batch * heads + head) * length + position) * width
    : ((batch * length + position) * heads + head) * width;
}

/** One head of one sequence: rows of q, k and v (views), and where their rows are. */
export interface SequenceHead {
  /** Which row of the table of sequences. */
  readonly index: number;
  readonly head: number;
  readonly queries: readonly Float64Array[];
  readonly keys: readonly Float64Array[];
  readonly values: readonly Float64Array[];
  /** Rows of an array shaped like q (`[…, dHead]`), such as dQ. */
  queryRows(array: Float64Array): readonly Float64Array[];
  /** Rows of an array shaped like out (`[…, dValue]` over the queries), such as dOut. */
  outRows(array: Float64Array): readonly Float64Array[];
  /** Rows of an array shaped like k, such as dK. */
  keyRows(array: Float64Array): readonly Float64Array[];
  /** Rows of an array shaped like v, such as dV. */
  valueRows(array: Float64Array): readonly Float64Array[];
  /** Index of query i in a `[batch, heads, lengthQ]` array, whatever the layout. */
  scalarAt(i: number): number;
  /** Where query i is, counted from the sequence's first key. */
  positionOf(i: number): number;
  /** Whether query i sees key j: not masked and, if causal, j <= i + offset. */
  sees(i: number, j: number): boolean;
  isValidKey(j: number): boolean;
}

/** Every head of every sequence, in order. */
export function* sequenceHeads(args: AttentionArrays, causal: boolean): Generator<SequenceHead> {
  const { heads, lengthQ, lengthK, dHead, dValue, layout, numSequences } = args;
  const q = floats(args.q);
  const k = floats(args.k);
  const v = floats(args.v);
  const mask = args.keyMask ? floats(args.keyMask) : undefined;
  const sequences = integers(args.sequences, numSequences * SEQUENCE_COLUMNS);
  for (let sequence = 0; sequence < numSequences; sequence++) {
    const [batch, queryStart, queryLength, keyStart, keyLength, offset] = sequences.subarray(
      sequence * SEQUENCE_COLUMNS,
    );
    for (let head = 0; head < heads; head++) {
      const rows = (array: Float64Array, length: number, width: number, start: number, count: number) =>
        Array.from({ length: count }, (_, i) => {
          const at = rowStart(layout, heads, length, width, batch, head, start + i);
          return array.subarray(at, at + width);
        });
      const queryRows = (array: Float64Array) => rows(array, lengthQ, dHead, queryStart, queryLength);
      const outRows = (array: Float64Array) => rows(array, lengthQ, dValue, queryStart, queryLength);
      const keyRows = (array: Float64Array) => rows(array, lengthK, dHead, keyStart, keyLength);
      const valueRows = (array: Float64Array) => rows(array, lengthK, dValue, keyStart, keyLength);
      const isValidKey = (j: number) => mask?.[batch * lengthK + keyStart + j] !== 0;
      yield {
        index: sequence,
        head,
        queries: queryRows(q),
        keys: keyRows(k),
        values: valueRows(v),
        queryRows,
        outRows,
        keyRows,
        valueRows,
        positionOf: (i) => i + offset,
        scalarAt: (i) => (batch * heads + head) * lengthQ + queryStart + i,
        sees: (i, j) => isValidKey(j) && (!causal || j <= i + offset),
        isValidKey,
      };
    }
  }
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** y += alpha · x. */
export function addScaled(y: Float64Array, alpha: number, x: Float64Array): void {
  for (let i = 0; i < y.length; i++) y[i] += alpha * x[i];
}
