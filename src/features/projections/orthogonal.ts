import type { Random } from '../../tensor/random.ts';
import { gaussianProjection } from './gaussian.ts';

/**
 * Orthogonal random features (paper section 2.4): blocks of dHead rows, exactly orthogonal inside a block, blocks
 * independent, every row as long as a Gaussian vector (χ with dHead degrees of freedom). The last block is cut when
 * numFeatures is no multiple of dHead. O(numFeatures·dHead²).
 *
 * Each direction matrix is Haar-distributed: Gram–Schmidt leaves a positive diagonal in R, whereas Householder QR
 * without a sign correction biases positive features along the first axis.
 *
 * @returns `[numFeatures, dHead]`
 */
export function orthogonalProjection(numFeatures: number, dHead: number, random: Random): Float64Array {
  const projection = new Float64Array(numFeatures * dHead);
  for (let start = 0; start < numFeatures; start += dHead) {
    const rows = Math.min(dHead, numFeatures - start);
    const directions = haarRows(rows, dHead, random);
    for (let r = 0; r < rows; r++) {
      const length = norm(gaussianProjection(1, dHead, random));
      for (let i = 0; i < dHead; i++) projection[(start + r) * dHead + i] = length * directions[r][i];
    }
  }
  return projection;
}

/** The first `rows` rows of a Haar-distributed orthogonal matrix. */
function haarRows(rows: number, dHead: number, random: Random): Float64Array[] {
  const basis: Float64Array[] = [];
  for (let r = 0; r < rows; r++) {
    const row = gaussianProjection(1, dHead, random);
    // A second pass removes what rounding left of the first.
    for (let pass = 0; pass < 2; pass++) {
      for (const earlier of basis) {
        const overlap = dot(row, earlier);
        for (let i = 0; i < dHead; i++) row[i] -= overlap * earlier[i];
      }
    }
    const length = norm(row);
    for (let i = 0; i < dHead; i++) row[i] /= length;
    basis.push(row);
  }
  return basis;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function norm(a: Float64Array): number {
  return Math.sqrt(dot(a, a));
}
