/** The matrix W that a projection stands for, by literal products of its factors. */
import { blockSize } from '../../projection-sizes.ts';
import type { Estimator } from '../../types.ts';
import { addScaled } from '../attention-arrays.ts';

/** Entry (i, j) of the Walsh–Hadamard matrix in Sylvester's order: −1 to the number of ones in i & j. */
function hadamardEntry(i: number, j: number): number {
  let sign = 1;
  for (let bits = i & j; bits > 0; bits >>= 1) if (bits & 1) sign = -sign;
  return sign;
}

function identity(size: number): Float64Array[] {
  return Array.from({ length: size }, (_, i) => Float64Array.from({ length: size }, (_, j) => (i === j ? 1 : 0)));
}

/** H · diag(diagonal) · matrix. */
function timesHadamardAndDiagonal(matrix: readonly Float64Array[], diagonal: Float64Array): Float64Array[] {
  return matrix.map((row, i) => {
    const sum = new Float64Array(row.length);
    matrix.forEach((other, j) => {
      addScaled(sum, hadamardEntry(i, j) * diagonal[j], other);
    });
    return sum;
  });
}

/** R · matrix, R the rotation {i, j, cos, sin}. */
function timesRotation(matrix: readonly Float64Array[], [i, j, cos, sin]: Float64Array): Float64Array[] {
  return matrix.map((row, at) => {
    if (at === i) return row.map((value, column) => cos * value - sin * matrix[j][column]);
    if (at === j) return row.map((value, column) => sin * matrix[i][column] + cos * value);
    return row;
  });
}

/**
 * W `[numFeatures, dHead]` of an estimator whose numbers are `projection` (`kernels/description.mjs`, ProjectionForm), so that
 * u = W x̂ + b. O(P³) for every factor of a block of P rows.
 */
export function expandProjection(estimator: Estimator, projection: Float64Array, dHead: number): Float64Array {
  const { numFeatures, form, factors, directions } = estimator;
  if (form === 'dense') return projection.slice(0, numFeatures * dHead);
  const size = blockSize(form, dHead);
  const factorLength = form === 'hadamard' ? size : 4;
  const apply = form === 'hadamard' ? timesHadamardAndDiagonal : timesRotation;
  const numBlocks = Math.ceil(directions / size);
  const blocks = Array.from({ length: numBlocks }, (_, block) => {
    let matrix = identity(size);
    for (let factor = 0; factor < factors; factor++) {
      const start = (block * factors + factor) * factorLength;
      matrix = apply(matrix, projection.subarray(start, start + factorLength));
    }
    return matrix;
  });
  const lengths = projection.subarray(numBlocks * factors * factorLength);
  return Float64Array.from({ length: numFeatures * dHead }, (_, at) => {
    const [r, column] = [Math.floor(at / dHead), at % dHead];
    const direction = r % directions;
    return lengths[r] * blocks[Math.floor(direction / size)][direction % size][column];
  });
}
