/** Projections with the faults of existing implementations (each lets its check reject), at χ_d lengths. */

import type { Random } from '../../src/base/random.ts';
import { givensProjection } from '../../src/features/projections/givens.ts';
import { normalLength } from '../../src/features/projections/haar.ts';
import { denseProjection, type Projection } from '../../src/features/projections/projection.ts';

/** One block from Householder's QR as numerical libraries leave it, without `Q·sign(diag R)`: rows are columns of Q. */
export function householderBlock(d: number, random: Random): Projection {
  const a = Array.from({ length: d }, () => Array.from({ length: d }, () => random.normal()));
  const q = Array.from({ length: d }, (_, i) => Array.from({ length: d }, (_, j) => Number(i === j)));
  for (let k = 0; k < d; k++) {
    const v = a.map((row, i) => (i < k ? 0 : row[k]));
    v[k] += Math.sign(v[k]) * Math.hypot(...v);
    const square = v.reduce((sum, value) => sum + value ** 2, 0);
    const reflect = (vector: number[]) => {
      const share = (2 * vector.reduce((sum, value, i) => sum + value * v[i], 0)) / square;
      return vector.map((value, i) => value - share * v[i]);
    };
    for (let j = 0; j < d; j++) {
      const column = reflect(a.map((row) => row[j]));
      for (let i = 0; i < d; i++) a[i][j] = column[i];
      q[j] = reflect(q[j]);
    }
  }
  const values = Array.from({ length: d }, (_, r) => r).flatMap((r) => {
    const length = normalLength(d, random);
    return q.map((row) => length * row[r]);
  });
  return denseProjection(Float64Array.from(values), d);
}

/** A single block of H D, d a power of two. */
export function oneHadamardBlock(d: number, random: Random): Projection {
  const values = Float64Array.from({ length: d }, () => 2 * random.integer(2) - 1);
  const lengths = Float64Array.from({ length: d }, () => normalLength(d, random) / Math.sqrt(d));
  return { form: 'hadamard', dHead: d, directions: d, factors: 1, values, lengths };
}

/** Two blocks of rotations, both from one seed. */
export function repeatedGivens(d: number, random: Random): Projection {
  const drawn = givensProjection({ directions: 2 * d, dHead: d, norms: 'gaussian' }, random);
  const values = drawn.values.slice();
  values.copyWithin(values.length / 2, 0, values.length / 2);
  return { ...drawn, values };
}

/** Rotations of coordinates i and j drawn apart, so that i = j may come. */
export function looseGivens(d: number, random: Random): Projection {
  const drawn = givensProjection({ directions: d, dHead: d, norms: 'gaussian' }, random);
  const values = drawn.values.map((value, at) => (at % 4 < 2 ? random.integer(d) : value));
  return { ...drawn, values };
}
