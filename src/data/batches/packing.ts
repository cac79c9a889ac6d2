import { DataError } from '../../base/errors.ts';

/** Sequences put together into rows, none cut. */
interface PackedRows {
  readonly numRows: number;
  /** Sequences row by row: row r holds `order[starts[r]] … order[starts[r + 1] − 1]`, the longest first. */
  readonly order: Int32Array;
  /** `[numRows + 1]` */
  readonly starts: Int32Array;
}

/**
 * Packs sequences into rows of `capacity` by first fit, longest first (ties: in order). The number of rows is at most
 * 11/9 of the fewest possible, and two thirds of a row more. Depends on the lengths alone. O(n log n) for n sequences.
 *
 * @param lengths each from 1 to `capacity`
 * @throws DataError when a length is not
 */
export function packSequences(lengths: ArrayLike<number>, capacity: number): PackedRows {
  const count = lengths.length;
  for (let i = 0; i < count; i++) {
    if (Number.isInteger(lengths[i]) && lengths[i] >= 1 && lengths[i] <= capacity) continue;
    throw new DataError(`Sequence ${i} has ${lengths[i]} tokens; rows of ${capacity} take from 1 to ${capacity}.`);
  }
  // Numbers sort faster than by a comparison: longest first, then in order.
  const keys = Float64Array.from({ length: count }, (_, i) => (capacity - lengths[i]) * count + i).sort();
  const byLength = Int32Array.from(keys, (key) => key % count);
  const rows = new FirstFit(count, capacity);
  const rowOf = new Int32Array(count);
  let numRows = 0;
  for (const sequence of byLength) {
    rowOf[sequence] = rows.take(lengths[sequence]);
    numRows = Math.max(numRows, rowOf[sequence] + 1);
  }
  const starts = new Int32Array(numRows + 1);
  for (const row of rowOf) starts[row + 1]++;
  for (let row = 0; row < numRows; row++) starts[row + 1] += starts[row];
  const order = new Int32Array(count);
  const next = starts.slice();
  for (const sequence of byLength) order[next[rowOf[sequence]]++] = sequence;
  return { numRows, order, starts };
}

/** Room left in rows, as a tree of maxima: finds the first row with enough of it in O(log rows). */
class FirstFit {
  readonly #leaves: number;
  /** Node i has the children 2i and 2i + 1; the leaves are the rows. */
  readonly #room: Int32Array;

  constructor(rows: number, capacity: number) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(rows, 1)));
    this.#room = new Int32Array(2 * this.#leaves).fill(capacity);
  }

  /** Takes `length` from the first row that has it, and returns that row. */
  take(length: number): number {
    const room = this.#room;
    let node = 1;
    while (node < this.#leaves) {
      node *= 2;
      if (room[node] < length) node++;
    }
    const row = node - this.#leaves;
    room[node] -= length;
    while (node > 1) {
      node >>= 1;
      room[node] = Math.max(room[2 * node], room[2 * node + 1]);
    }
    return row;
  }
}
