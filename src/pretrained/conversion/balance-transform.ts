import { cholesky, type Matrix, symmetricEigen } from './eigenvalues.ts';
import type { HeadMoments } from './head-moments.ts';

/** What becomes of one head's queries and keys: `queries·q`, and `keys·k − shift`, with `queriesᵀ·keys = I`. */
export interface BalanceTransform {
  readonly dHead: number;
  /** `[dHead, dHead]` */
  readonly queries: Matrix;
  /** `[dHead, dHead]` */
  readonly keys: Matrix;
  /** `[dHead]` */
  readonly shift: Float64Array;
}

/** What is added to the covariances' diagonals, relative to their mean: directions that the data hardly has are left alone. */
const ridge = 1e-3;

/**
 * The transform that makes the mean of ‖q + k‖² least. With Σq = L·Lᵀ and Lᵀ·Σk·L = U·D·Uᵀ, queries take A = D^¼·Uᵀ·L⁻¹ and
 * keys A⁻ᵀ = D^(−¼)·Uᵀ·Lᵀ. Both then have the covariance D^½. The shift is the mean of the sum.
 */
export function balanceTransform(queries: HeadMoments, keys: HeadMoments): BalanceTransform {
  const n = queries.width;
  const lower = cholesky(ridged(queries.covariance, n), n);
  const between = multiply(transpose(lower, n), multiply(ridged(keys.covariance, n), lower, n), n);
  const { values, vectors } = symmetricEigen(between, n);
  const rotated = multiply(transpose(vectors, n), transpose(lower, n), n);
  const queryMatrix = new Float64Array(n * n);
  const keyMatrix = new Float64Array(n * n);
  // Uᵀ·L⁻¹ solves X·L = Uᵀ, from the last column on.
  for (let i = 0; i < n; i++) {
    const scale = values[i] ** 0.25;
    for (let j = n - 1; j >= 0; j--) {
      let sum = scale * vectors[j * n + i];
      for (let k = j + 1; k < n; k++) sum -= queryMatrix[i * n + k] * lower[k * n + j];
      queryMatrix[i * n + j] = sum / lower[j * n + j];
      keyMatrix[i * n + j] = rotated[i * n + j] / scale;
    }
  }
  const [q, k] = [apply(queryMatrix, queries.mean), apply(keyMatrix, keys.mean)];
  return { dHead: n, queries: queryMatrix, keys: keyMatrix, shift: q.map((value, i) => value + k[i]) };
}

/** For rotary positions, which only factors of the pairs (x[2i], x[2i+1]) commute with: both get the same mean square. */
export function rotaryBalanceTransform(queries: HeadMoments, keys: HeadMoments): BalanceTransform {
  const n = queries.width;
  const [q, k] = [ridged(queries.secondMoment, n), ridged(keys.secondMoment, n)];
  const queryMatrix = new Float64Array(n * n);
  const keyMatrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const pair = [i - (i % 2), i - (i % 2) + 1];
    const square = (x: Matrix) => x[pair[0] * n + pair[0]] + x[pair[1] * n + pair[1]];
    const factor = (square(k) / square(q)) ** 0.25;
    queryMatrix[i * n + i] = factor;
    keyMatrix[i * n + i] = 1 / factor;
  }
  return { dHead: n, queries: queryMatrix, keys: keyMatrix, shift: new Float64Array(n) };
}

function ridged(x: Matrix, n: number): Matrix {
  let trace = 0;
  for (let i = 0; i < n; i++) trace += x[i * n + i];
  // The identity for a head whose queries or keys never change.
  const added = trace > 0 ? (ridge * trace) / n : 1;
  return x.map((value, at) => (Math.floor(at / n) === at % n ? value + added : value));
}

function multiply(a: Matrix, b: Matrix, n: number): Matrix {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      const factor = a[i * n + k];
      for (let j = 0; j < n; j++) out[i * n + j] += factor * b[k * n + j];
    }
  }
  return out;
}

function transpose(x: Matrix, n: number): Matrix {
  return Float64Array.from(x, (_, at) => x[(at % n) * n + Math.floor(at / n)]);
}

function apply(matrix: Matrix, x: Float64Array): Float64Array {
  const n = x.length;
  return Float64Array.from(x, (_, i) => x.reduce((sum, value, j) => sum + matrix[i * n + j] * value, 0));
}
