import { DataError } from '../../base/errors.ts';

/** A square matrix, row-major. */
export type Matrix = Float64Array;

/**
 * The lower triangle L of a symmetric positive definite matrix, `x = L·Lᵀ`. O(n³).
 *
 * @throws DataError when the matrix is not positive definite
 */
export function cholesky(x: Matrix, n: number): Matrix {
  const lower = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = x[i * n + j];
      for (let k = 0; k < j; k++) sum -= lower[i * n + k] * lower[j * n + k];
      if (i === j && !(sum > 0)) throw new DataError('The matrix is not positive definite: add to its diagonal.');
      lower[i * n + j] = i === j ? Math.sqrt(sum) : sum / lower[j * n + j];
    }
  }
  return lower;
}

/** Sweeps of all rotations; they converge quadratically, so that ten are plenty. */
const maxSweeps = 30;

/**
 * Eigenvalues and eigenvectors of a symmetric matrix by Jacobi's rotations (Golub & Van Loan, section 8.5). O(n³) a sweep.
 *
 * @returns `x = U·diag(values)·Uᵀ` with the eigenvectors as the columns of U, in no order
 */
export function symmetricEigen(x: Matrix, n: number): { readonly values: Float64Array; readonly vectors: Matrix } {
  const a = x.slice();
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  const size = a.reduce((sum, value) => sum + value ** 2, 0);
  for (let sweep = 0; sweep < maxSweeps; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += a[p * n + q] ** 2;
    if (off <= 1e-28 * size) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, vectors, n, p, q);
  }
  return { values: Float64Array.from({ length: n }, (_, i) => a[i * n + i]), vectors };
}

/** Makes `a[p, q]` zero by a rotation of rows and columns p and q. */
function rotate(a: Matrix, vectors: Matrix, n: number, p: number, q: number): void {
  const off = a[p * n + q];
  if (off === 0) return;
  const slope = (a[q * n + q] - a[p * n + p]) / (2 * off);
  const tangent = (slope < 0 ? -1 : 1) / (Math.abs(slope) + Math.hypot(slope, 1));
  const cosine = 1 / Math.hypot(tangent, 1);
  const sine = tangent * cosine;
  const turn = (m: Matrix, first: number, second: number) => {
    const [x, y] = [m[first], m[second]];
    m[first] = cosine * x - sine * y;
    m[second] = sine * x + cosine * y;
  };
  for (let k = 0; k < n; k++) {
    turn(a, k * n + p, k * n + q);
    turn(vectors, k * n + p, k * n + q);
  }
  for (let k = 0; k < n; k++) turn(a, p * n + k, q * n + k);
}
