/** Projections kept as factors, written out as the matrix they stand for. */
import { blockSize } from '../estimator.ts';
import type { Estimator } from '../types.ts';

/**
 * W `[numFeatures, dHead]` of an estimator by its definition: products of whole matrices.
 *
 * @param projection as `kernels/kernels.h` lays it out by form
 */
export function expandProjection(estimator: Estimator, projection: Float64Array, dHead: number): Float64Array {
  const { numFeatures, form, directions } = estimator;
  if (form === 'dense') return projection.slice(0, numFeatures * dHead);
  const size = blockSize(form, dHead);
  const lengths = projection.subarray(projection.length - numFeatures);
  const blocks = Array.from({ length: Math.ceil(directions / size) }, (_, block) =>
    blockProduct(estimator, projection, block, size),
  );
  const matrix = new Float64Array(numFeatures * dHead);
  for (let r = 0; r < numFeatures; r++) {
    const direction = r % directions;
    const row = blocks[Math.floor(direction / size)][direction % size];
    for (let c = 0; c < dHead; c++) matrix[r * dHead + c] = lengths[r] * row[c];
  }
  return matrix;
}

type Matrix = readonly Float64Array[];

/** F_factors … F_1 of one block. */
function blockProduct({ form, factors }: Estimator, projection: Float64Array, block: number, size: number): Matrix {
  let product = matrixOf(size, (i, j) => (i === j ? 1 : 0));
  for (let index = block * factors; index < (block + 1) * factors; index++) {
    const factor =
      form === 'hadamard'
        ? hadamardFactor(projection.subarray(index * size, (index + 1) * size))
        : rotation(size, projection.subarray(index * 4, index * 4 + 4));
    product = multiply(factor, product);
  }
  return product;
}

/** H D: entry (i, j) of Sylvester's Hadamard matrix is −1 to the number of bits that i and j share. */
function hadamardFactor(diagonal: Float64Array): Matrix {
  return matrixOf(diagonal.length, (i, j) => (isOdd(i & j) ? -1 : 1) * diagonal[j]);
}

function isOdd(bits: number): boolean {
  let odd = false;
  for (let rest = bits; rest > 0; rest >>= 1) odd = odd !== ((rest & 1) === 1);
  return odd;
}

function rotation(size: number, [first, second, cos, sin]: Float64Array): Matrix {
  return matrixOf(size, (i, j) => {
    if (i === first) return j === first ? cos : j === second ? -sin : 0;
    if (i === second) return j === first ? sin : j === second ? cos : 0;
    return i === j ? 1 : 0;
  });
}

function matrixOf(size: number, entry: (i: number, j: number) => number): Matrix {
  return Array.from({ length: size }, (_, i) => Float64Array.from({ length: size }, (_, j) => entry(i, j)));
}

function multiply(a: Matrix, b: Matrix): Matrix {
  return matrixOf(a.length, (i, j) => a[i].reduce((sum, value, k) => sum + value * b[k][j], 0));
}
