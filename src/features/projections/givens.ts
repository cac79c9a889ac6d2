import type { Random } from '../../base/random.ts';
import { normalLength } from './haar.ts';
import type { Projection, ProjectionSizes } from './projection.ts';

/**
 * Rounds of rotations. In each round every coordinate meets one other (all but one if dHead is odd), so a block has
 * ⌊dHead/2⌋·rounds rotations. That is dHead·log₂ dHead where whole.
 */
export function givensRounds(dHead: number): number {
  return 2 * Math.ceil(Math.log2(dHead));
}

/**
 * Givens random features: directions are the rows of a product of O(dHead·log dHead) random rotations of coordinate
 * pairs, different in every block of dHead rows. From dHead = 64 on they are faster to apply than a matrix
 * (docs/performance-bench.md). Exactly orthogonal inside a block; lengths as a Gaussian vector's or √dHead, with random
 * signs.
 *
 * The paper says neither how many rotations nor which. Pairs are random perfect matchings, so that a round costs
 * dHead/2 rotations and leaves no coordinate out. Angles are 45° in a random quadrant. That halves the excess of a
 * coordinate's fourth moment over a uniform direction's, where angles uniform on the circle take only a quarter off.
 * Angles of the last round are uniform; otherwise two coordinates would only know multiples of 45°. Measured bias of
 * K(x, y) with x + y along an axis, ‖x + y‖² = 1.5, in % (± 0.06):
 *
 * | rounds | angles | d = 8 | 16 | 37 | 64 |
 * |---|---|---|---|---|---|
 * | log₂ d | uniform | 15 | 35 | 78 | 248 |
 * | 2·log₂ d | uniform | 4.0 | 7.6 | 8.6 | 20 |
 * | 4·log₂ d | uniform | 0.3 | 0.5 | 0.2 | 0.3 |
 * | 2·log₂ d | 45°, last uniform | 0.03 | 0.15 | 0.03 | 0.09 |
 *
 * These figures are of a whole block. Row r alone keeps a part of axis r: its square there is 4 % above 1/d at d = 8, 1
 * % at 64.
 */
export function givensProjection({ directions, dHead, norms }: ProjectionSizes, random: Random): Projection {
  const rounds = givensRounds(dHead);
  const blocks = Math.ceil(directions / dHead);
  const rotations: number[] = [];
  for (let block = 0; block < blocks; block++) {
    for (let round = 1; round <= rounds; round++) {
      const order = shuffled(dHead, random);
      for (let pair = 0; pair + 1 < dHead; pair += 2) {
        const angle = 2 * Math.PI * (round < rounds ? (2 * random.integer(4) + 1) / 8 : random.uniform());
        rotations.push(order[pair], order[pair + 1], Math.cos(angle), Math.sin(angle));
      }
    }
  }
  const lengths = Float64Array.from({ length: directions }, () => {
    // A single coordinate has nothing to rotate with; its direction is the sign.
    const sign = random.integer(2) === 0 ? 1 : -1;
    return sign * (norms === 'gaussian' ? normalLength(dHead, random) : Math.sqrt(dHead));
  });
  const factors = rounds * Math.floor(dHead / 2);
  return { form: 'givens', dHead, directions, factors, values: Float64Array.from(rotations), lengths };
}

/** A random order of the integers below `count`. */
function shuffled(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const other = random.integer(i + 1);
    [order[i], order[other]] = [order[other], order[i]];
  }
  return order;
}
