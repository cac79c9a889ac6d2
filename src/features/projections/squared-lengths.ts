import { blockSize } from '../../backend/projection-sizes.ts';
import { applyHadamardBlock } from './hadamard.ts';
import type { Projection } from './projection.ts';

/**
 * `‖ω_r‖²` of every row, in the dHead coordinates of an input: for a padded Hadamard row, the part that meets the
 * input. O(directions·dHead), or O(directions·dHead·log dHead) for Hadamard.
 */
export function squaredLengths(projection: Projection): Float64Array {
  const { form, dHead, directions, values, lengths } = projection;
  if (form === 'hadamard') return squaredHadamardLengths(projection);
  if (form === 'givens') return lengths.map((length) => length ** 2);
  return Float64Array.from({ length: directions }, (_, r) =>
    values.subarray(r * dHead, (r + 1) * dHead).reduce((sum, value) => sum + value ** 2, 0),
  );
}

function squaredHadamardLengths({ dHead, directions, factors, values, lengths }: Projection): Float64Array {
  const size = blockSize('hadamard', dHead);
  const squares = new Float64Array(directions);
  for (let start = 0; start < directions; start += size) {
    const diagonals = values.subarray(start * factors, (start + size) * factors);
    for (let i = 0; i < dHead; i++) {
      const column = new Float64Array(size);
      column[i] = 1;
      applyHadamardBlock(diagonals, column);
      for (let r = start; r < Math.min(start + size, directions); r++) {
        squares[r] += (lengths[r] * column[r - start]) ** 2;
      }
    }
  }
  return squares;
}
