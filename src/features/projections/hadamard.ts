import { blockSize } from '../../backend/projection-sizes.ts';
import type { Random } from '../../base/random.ts';
import { normalLength } from './haar.ts';
import type { Projection, ProjectionSizes } from './projection.ts';

/**
 * Number of HD blocks for blocks of P rows. From P = 32 on there are three (the usual choice, on which the paper is
 * silent), more for narrower heads.
 *
 * One block is not enough: all entries of HD are of one size. The excess of a coordinate's fourth moment over a uniform
 * direction's shrinks by −2/P with each further block. That bounds the bias at P = 8 and above by about 0.04 % of K.
 * Where P ≤ 4, products of HD form a finite group and never become uniform: prefer orthogonal rows. Measured bias of
 * K(x, y) with x + y along an axis, ‖x + y‖² = 1.5, in % (± 0.08):
 *
 * | HD blocks | P = 2 | 4 | 8 | 16 | 64 |
 * |---|---|---|---|---|---|
 * | 1 | | | −11 | | −13 |
 * | 2 | | | 4.3 | | 0.5 |
 * | 3 | | −1.7 | −0.7 | −0.2 | −0.13 |
 * | as chosen | −7.0 | 1.5 | −0.2 | −0.02 | −0.13 |
 */
export function hadamardFactors(size: number): number {
  return Math.max(3, 8 - Math.log2(size));
}

/**
 * Hadamard random features: directions are the rows of `(HD_n … HD_1)·P^(−n/2)` with random signs D_i. H is the
 * Walsh–Hadamard matrix of order P, the least power of two that holds dHead (inputs are padded with zeros). Exactly
 * orthogonal inside a block of P rows. O(P·log P) per block to apply, O(directions) numbers to keep. Faster than a
 * matrix from dHead = 64 on, slower below 32 (docs/performance-bench.md).
 *
 * Lengths are those of rows in the padded space. They are χ_P for `gaussian`, so that what a row has in the dHead
 * coordinates of an input is a Gaussian vector. For `regularised` they are √P: the regularised kernel of inputs of P
 * dimensions, between that of dHead dimensions and the softmax kernel.
 */
export function hadamardProjection({ directions, dHead, norms }: ProjectionSizes, random: Random): Projection {
  const size = blockSize('hadamard', dHead);
  const factors = hadamardFactors(size);
  const blocks = Math.ceil(directions / size);
  const values = Float64Array.from({ length: blocks * factors * size }, () => (random.uint32() & 1 ? 1 : -1));
  const lengths = Float64Array.from(
    { length: directions },
    () => (norms === 'gaussian' ? normalLength(size, random) : Math.sqrt(size)) * size ** (-factors / 2),
  );
  return { form: 'hadamard', dHead, directions, factors, values, lengths };
}

/**
 * The product of a block's H D_factors … H D_1 with `x`, in place. O(factors·P·log P).
 *
 * @param diagonals `[factors, P]`
 */
export function applyHadamardBlock(diagonals: Float64Array, x: Float64Array): void {
  for (let start = 0; start < diagonals.length; start += x.length) {
    for (let i = 0; i < x.length; i++) x[i] *= diagonals[start + i];
    walshHadamard(x);
  }
}

/** H x in place, entries ±1 in Sylvester's order. */
function walshHadamard(x: Float64Array): void {
  for (let half = 1; half < x.length; half *= 2) {
    for (let start = 0; start < x.length; start += 2 * half) {
      for (let i = start; i < start + half; i++) {
        const [a, b] = [x[i], x[i + half]];
        x[i] = a + b;
        x[i + half] = a - b;
      }
    }
  }
}
