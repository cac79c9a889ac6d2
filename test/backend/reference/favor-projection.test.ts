/** Expanded projections, held against applying the factors to a vector one after the other. */
import { describe, expect, test } from 'vitest';
import { projectionLength } from '../../../src/backend/projection-sizes.ts';
import { expandProjection } from '../../../src/backend/reference/favor/projection.ts';
import type { Estimator, ProjectionForm } from '../../../src/backend/types.ts';
import { Random } from '../../../src/base/random.ts';
import { expectClose } from './central-differences.ts';

const random = new Random(20210303);
const normals = (count: number) => Float64Array.from({ length: count }, () => random.normal());

function estimator(form: ProjectionForm, numFeatures: number, factors: number, directions: number): Estimator {
  return { numFeatures, map: 'relu', epsilon: 0, form, factors, directions };
}

function product(matrix: Float64Array, x: Float64Array): Float64Array {
  return Float64Array.from({ length: matrix.length / x.length }, (_, r) =>
    x.reduce((sum, value, c) => sum + matrix[r * x.length + c] * value, 0),
  );
}

/** Walsh–Hadamard transform by halves: H₂ₙ = [Hₙ Hₙ; Hₙ −Hₙ]. */
function transform(x: readonly number[]): number[] {
  if (x.length === 1) return [...x];
  const [low, high] = [transform(x.slice(0, x.length / 2)), transform(x.slice(x.length / 2))];
  return [...low.map((value, i) => value + high[i]), ...low.map((value, i) => value - high[i])];
}

describe('expanded projections', () => {
  test('dense is W itself', () => {
    const w = normals(7 * 3);
    expect(expandProjection(estimator('dense', 7, 0, 7), w, 3)).toEqual(w);
  });

  test('hadamard: padded, three factors, two blocks of which the last is cut, stacked directions', () => {
    const [dHead, size, directions, numFeatures] = [5, 8, 11, 22];
    const shape = estimator('hadamard', numFeatures, 3, directions);
    const projection = normals(projectionLength(shape, dHead));
    const x = normals(dHead);
    const values = [0, 1].flatMap((block) => {
      let state = [...x, 0, 0, 0];
      for (let factor = 0; factor < 3; factor++) {
        const start = (block * 3 + factor) * size;
        state = transform(state.map((value, i) => value * projection[start + i]));
      }
      return state;
    });
    const lengths = projection.slice(2 * 3 * size);
    expect(lengths.length).toBe(numFeatures);
    const expected = lengths.map((length, r) => length * values[r % directions]);
    expectClose(product(expandProjection(shape, projection, dHead), x), expected, 1e-13);
  });

  test('givens: rotations in turn, two blocks of which the last is cut, stacked directions', () => {
    const [dHead, directions, numFeatures, factors] = [5, 7, 14, 6];
    const shape = estimator('givens', numFeatures, factors, directions);
    const projection = normals(projectionLength(shape, dHead));
    for (let rotation = 0; rotation < 2 * factors; rotation++) {
      const angle = random.normal();
      const i = rotation % dHead;
      const j = (i + 1 + (rotation % 3)) % dHead;
      projection.set([i, j, Math.cos(angle), Math.sin(angle)], rotation * 4);
    }
    const x = normals(dHead);
    const values = [0, 1].flatMap((block) => {
      const state = [...x];
      for (let factor = 0; factor < factors; factor++) {
        const [i, j, cos, sin] = projection.subarray((block * factors + factor) * 4);
        [state[i], state[j]] = [cos * state[i] - sin * state[j], sin * state[i] + cos * state[j]];
      }
      return state;
    });
    const expected = projection.slice(2 * factors * 4).map((length, r) => length * values[r % directions]);
    expectClose(product(expandProjection(shape, projection, dHead), x), expected, 1e-13);
  });

  test('no factors and lengths of 1 are no projection', () => {
    const ones = new Float64Array(3).fill(1);
    expect(expandProjection(estimator('givens', 3, 0, 3), ones, 3)).toEqual(Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1));
  });
});
