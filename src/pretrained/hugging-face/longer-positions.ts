/**
 * A table of learned positions for another length: a longer one is interpolated linearly with the ends kept, so that row i
 * is the old row i·(rows − 1)/(length − 1); a shorter one is cut.
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
