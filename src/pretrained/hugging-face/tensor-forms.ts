/** How the numbers of a tensor are ordered in a file of the library transformers, and how here. */

export type Shape = readonly number[];

export interface TensorForm {
  /** Our shape of a tensor that has the shape `theirs`. */
  shape(theirs: Shape): Shape;
  /** From theirs to ours. */
  read(data: Float32Array, theirs: Shape): Float32Array;
  /** From ours to theirs. */
  write(data: Float32Array, theirs: Shape): Float32Array;
}

export const same: TensorForm = {
  shape: (theirs) => theirs,
  read: (data) => data,
  write: (data) => data,
};

/** The same numbers under another shape. */
export function reshaped(ours: Shape): TensorForm {
  return { ...same, shape: () => ours };
}

/** A matrix `[in, out]`, as GPT-2's Conv1D has it, here `[out, in]`. */
export const transposed: TensorForm = {
  shape: (theirs) => [...theirs].reverse(),
  read: (data, [rows, columns]) => transpose(data, rows!, columns!),
  write: (data, [rows, columns]) => transpose(data, columns!, rows!),
};

function transpose(data: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) out[column * rows + row] = data[row * columns + column]!;
  }
  return out;
}

/**
 * Rows of queries and keys for rotary positions. Pair i of a head is its rows i and i + d/2 there, 2i and 2i + 1 here.
 * Scores do not change, as queries and keys are permuted alike.
 */
export function rotaryHalves(numHeads: number): TensorForm {
  const permuted = (data: Float32Array, [rows]: Shape, toOurs: boolean) => {
    const width = data.length / rows!;
    const dHead = rows! / numHeads;
    const out = new Float32Array(data.length);
    for (let row = 0; row < rows!; row++) {
      const place = row % dHead;
      const ours = place < dHead / 2 ? 2 * place : 2 * (place - dHead / 2) + 1;
      const [from, to] = toOurs ? [row, row - place + ours] : [row - place + ours, row];
      out.set(data.subarray(from * width, (from + 1) * width), to * width);
    }
    return out;
  };
  return {
    shape: (theirs) => theirs,
    read: (data, theirs) => permuted(data, theirs, true),
    write: (data, theirs) => permuted(data, theirs, false),
  };
}

/** Rows after the first `count`, which nothing reads: RoBERTa's positions start after that of padding. */
export function afterRows(count: number): TensorForm {
  return {
    shape: ([rows, ...rest]) => [rows! - count, ...rest],
    read: (data, [rows]) => data.subarray((data.length / rows!) * count),
    write(data, theirs) {
      const out = new Float32Array(theirs.reduce((product, size) => product * size, 1));
      out.set(data, out.length - data.length);
      return out;
    },
  };
}

/**
 * A table of learned positions for another length. A longer table is interpolated linearly with the ends kept, so that
 * row i is the old row i·(rows − 1)/(length − 1). A shorter table is cut.
 *
 * @param table `[rows, width]`
 * @returns `[length, width]`
 */
export function resizedPositions(table: Float32Array, width: number, length: number): Float32Array {
  const rows = table.length / width;
  if (length <= rows) return table.slice(0, length * width);
  const out = new Float32Array(length * width);
  for (let row = 0; row < length; row++) {
    const place = (row * (rows - 1)) / (length - 1);
    const below = Math.min(Math.floor(place), Math.max(rows - 2, 0));
    const above = Math.min(below + 1, rows - 1);
    const share = place - below;
    for (let i = 0; i < width; i++) {
      out[row * width + i] = (1 - share) * table[below * width + i]! + share * table[above * width + i]!;
    }
  }
  return out;
}
