import type { Random } from '../../base/random.ts';

/** A standard normal vector. */
export function normalVector(size: number, random: Random): Float64Array {
  const out = new Float64Array(size);
  for (let i = 0; i < size; i++) out[i] = random.normal();
  return out;
}

/** The length of a standard normal vector: χ with `size` degrees of freedom. */
export function normalLength(size: number, random: Random): number {
  return norm(normalVector(size, random));
}

/**
 * The first `rows` rows of a Haar-distributed orthogonal matrix of order `size`. O(rows²·size).
 *
 * Gram–Schmidt leaves a positive diagonal in R, whereas Householder QR without a sign correction is not Haar and biases
 * positive features along the first axis.
 */
export function haarRows(rows: number, size: number, random: Random): Float64Array[] {
  const basis: Float64Array[] = [];
  for (let r = 0; r < rows; r++) {
    const row = normalVector(size, random);
    // A second pass removes what rounding left of the first.
    for (let pass = 0; pass < 2; pass++) {
      for (const earlier of basis) {
        subtract(row, dot(row, earlier), earlier);
      }
    }
    const length = norm(row);
    for (let i = 0; i < size; i++) row[i] /= length;
    basis.push(row);
  }
  return basis;
}

// Loops of their own: V8 compiles a function that is called often long before a loop inside a function called once.
function subtract(from: Float64Array, factor: number, other: Float64Array): void {
  for (let i = 0; i < from.length; i++) from[i] -= factor * other[i];
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function norm(a: Float64Array): number {
  return Math.sqrt(dot(a, a));
}
