/** Directions, lengths and independence of the rows of every projection. */
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { positiveMap } from '../../src/features/maps/positive.ts';
import { drawProjection, type ProjectionKind } from '../../src/features/projection.ts';
import { givensRounds } from '../../src/features/projections/givens.ts';
import { hadamardFactors } from '../../src/features/projections/hadamard.ts';
import type { Projection } from '../../src/features/projections/projection.ts';
import { squaredLengths } from '../../src/features/projections/squared-lengths.ts';
import { BOUND, chiDistribution, deviation, expectMean, KOLMOGOROV_BOUND, kolmogorovSmirnov } from './statistics.ts';
import { estimate, rowsOf, vectorsOf } from './support.ts';
import { householderBlock, looseGivens, oneHadamardBlock, repeatedGivens } from './traps.ts';

const kinds = ['orthogonal', 'gaussian', 'givens', 'hadamard', 'simplex'] as const;
const inBlocks = ['orthogonal', 'givens', 'hadamard'] as const;

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const lengthOf = (row: readonly number[]) => Math.sqrt(dot(row, row));
const unit = (row: readonly number[]) => row.map((value) => value / lengthOf(row));
const matrixOf = (projection: Projection) => rowsOf(positiveMap(projection), projection.dHead);

type Draw = (random: Random) => Projection;
const drawing =
  (kind: ProjectionKind, directions: number, dHead: number, norms?: 'regularised'): Draw =>
  (random) =>
    drawProjection({ kind, directions, dHead, norms }, random);

function matrices(draw: Draw, count: number, seed = 3): number[][][] {
  const random = new Random(seed, 4);
  return Array.from({ length: count }, () => matrixOf(draw(random)));
}

/** The largest |cosine − expected| between two rows of a block of `size`. */
function worstAngle(rows: readonly number[][], size: number, expected = 0): number {
  let worst = 0;
  rows.forEach((row, r) => {
    const start = r - (r % size);
    for (let s = start; s < r; s++) worst = Math.max(worst, Math.abs(dot(unit(row), unit(rows[s])) - expected));
  });
  return worst;
}

describe('inside a block', () => {
  test.each(inBlocks)('%s rows are orthogonal, the cut block too', (kind) => {
    for (const dHead of kind === 'hadamard' ? [1, 2, 8, 32] : [1, 2, 7, 31]) {
      for (const rows of matrices(drawing(kind, 2 * dHead + 3, dHead), 5)) {
        expect(worstAngle(rows, dHead)).toBeLessThan(1e-12);
      }
    }
  });

  test('padded hadamard rows are orthogonal in the padded space', () => {
    const drawn = drawing('hadamard', 8, 5)(new Random(1));
    expect(worstAngle(matrixOf({ ...drawn, dHead: 8 }), 8)).toBeLessThan(1e-12);
  });

  test('simplex rows lie as far apart as rows can', () => {
    for (const dHead of [2, 3, 8, 31]) {
      for (const rows of matrices(drawing('simplex', 2 * dHead + 1, dHead), 5)) {
        expect(worstAngle(rows, dHead, -1 / (dHead - 1))).toBeLessThan(1e-12);
      }
    }
  });

  test('the check rejects Givens rotations that allow i = j', () => {
    const rejected = matrices((random) => looseGivens(8, random), 20).filter((rows) => worstAngle(rows, 8) > 1e-5);
    // 24 rotations all have i ≠ j in 4 % of draws.
    expect(rejected.length).toBeGreaterThan(10);
  });
});

describe('lengths', () => {
  test.each(kinds)('%s rows are as long as Gaussian vectors', (kind) => {
    for (const dHead of [5, 8]) {
      const random = new Random(3, 4);
      const draw = drawing(kind, 9, dHead);
      // The first row and a cut block's of 3,000 draws.
      const drawn = Array.from({ length: 3000 }, () => squaredLengths(draw(random)).map(Math.sqrt));
      for (const r of [0, 8]) {
        const lengths = drawn.map((row) => row[r]);
        expect(kolmogorovSmirnov(lengths, chiDistribution(dHead))).toBeLessThan(KOLMOGOROV_BOUND);
        expect(kolmogorovSmirnov(lengths, chiDistribution(dHead + 1))).toBeGreaterThan(KOLMOGOROV_BOUND);
      }
    }
  });

  test.each(kinds)('%s regularised rows are √d long, in padded space √P', (kind) => {
    for (const row of matrices(drawing(kind, 11, 4, 'regularised'), 3).flat()) expect(lengthOf(row)).toBeCloseTo(2, 12);
    const drawn = drawing(kind, 11, 5, 'regularised')(new Random(1));
    const dHead = kind === 'hadamard' ? 8 : 5;
    for (const row of matrixOf({ ...drawn, dHead: drawn.form === 'hadamard' ? dHead : 5 })) {
      expect(lengthOf(row)).toBeCloseTo(Math.sqrt(dHead), 12);
    }
  });

  test.each([...kinds, 'none'] as const)('squaredLengths of %s', (kind) => {
    for (const dHead of [1, 5, 8]) {
      const drawn = drawing(kind, 19, dHead)(new Random(2));
      const expected = matrixOf(drawn).map((row) => dot(row, row));
      squaredLengths(drawn).forEach((square, r) => {
        expect(square).toBeCloseTo(expected[r], 11);
      });
    }
  });
});

describe('directions', () => {
  const d = 8;
  const axis = [1, 0, 0, 0, 0, 0, 0, 0];
  const oblique = unit([0.3, -0.2, 0.5, 0.1, 0.4, -0.6, 0.2, 0.1]);

  test.each(kinds)('%s: moments of a projected coordinate are those of the sphere', (kind) => {
    const blocks = matrices(drawing(kind, d, d), 4000).map((rows) => rows.map(unit));
    for (const direction of [axis, oblique]) {
      const coordinates = blocks.map((rows) => rows.map((row) => dot(row, direction)));
      const overRows = (f: (u: number) => number) =>
        coordinates.map((u) => u.reduce((sum, value) => sum + f(value) / d, 0));
      expectMean(
        coordinates.map((u) => u[5]),
        0,
      );
      // Over all rows of a block the squares add up to 1 by orthogonality; a single Givens row leans to its own axis.
      const rowShare = kind === 'givens' ? 0.06 / d : 0;
      for (const r of [0, 5]) {
        expectMean(
          coordinates.map((u) => u[r] ** 2),
          1 / d,
          rowShare,
        );
      }
      expectMean(
        overRows((u) => u ** 4),
        3 / (d * (d + 2)),
        0.003 / d,
      );
      expectMean(
        overRows((u) => u ** 6),
        15 / (d * (d + 2) * (d + 4)),
        0.003 / d,
      );
    }
    const mixed = blocks.map((rows) => rows.reduce((sum, row) => sum + (row[0] * row[3]) ** 2 / d, 0));
    expectMean(mixed, 1 / (d * (d + 2)), 0.001 / d);
  });

  test('the check rejects a single Hadamard block, whose entries have one size', () => {
    const fourth = matrices((random) => oneHadamardBlock(d, random), 1000).map((rows) => unit(rows[5])[0] ** 4);
    expect(deviation(fourth, 3 / (d * (d + 2)), 0.003 / d)).toBeGreaterThan(BOUND);
  });

  test.each(kinds)('%s: different blocks are independent', (kind) => {
    const drawn = matrices(drawing(kind, 2 * d, d), 1500);
    for (const [r, s] of [
      [0, d],
      [3, d + 3],
      [2, d + 5],
    ]) {
      const cosines = drawn.map((rows) => dot(unit(rows[r]), unit(rows[s])));
      expectMean(cosines, 0);
      expectMean(
        cosines.map((cosine) => cosine ** 2),
        1 / d,
        0.002,
      );
    }
  });

  test('the check rejects Givens blocks that repeat their seed', () => {
    const drawn = matrices((random) => repeatedGivens(d, random), 100);
    const squares = drawn.map((rows) => dot(unit(rows[3]), unit(rows[d + 3])) ** 2);
    expect(deviation(squares, 1 / d, 0.002)).toBeGreaterThan(BOUND);
  });
});

describe('bias of positive features, d = 8, ‖x + y‖² = 1.5 along an axis, 10,000 draws', () => {
  const d = 8;
  const bias = (draw: Draw): number => {
    const random = new Random(5, 6);
    const [x, y] = vectorsOf([1, 0, 0, 0, 0, 0, 0, 0], 1.5, 0.5);
    const estimates = Array.from({ length: 10_000 }, () => estimate(positiveMap(draw(random)), x, y));
    return deviation(estimates, Math.exp(0.25));
  };

  test.each(['orthogonal', 'hadamard'] as const)('%s: none', (kind) => {
    expect(bias(drawing(kind, d, d))).toBeLessThan(BOUND);
  });

  test('the check rejects QR without the sign of R', () => {
    expect(bias((random) => householderBlock(d, random))).toBeGreaterThan(BOUND);
  });

  test('the check rejects a single Hadamard block', () => {
    expect(bias((random) => oneHadamardBlock(d, random))).toBeGreaterThan(BOUND);
  });
});

describe('what is drawn', () => {
  test('orthogonal features of a seed stay what they were: checkpoints and figures depend on them', () => {
    const { values } = drawing('orthogonal', 3, 2)(new Random(0, 2));
    expect([...values]).toEqual([
      -1.0603565827205674, 1.3847837336737505, -0.4172433800423512, -0.3194915955943201, -0.3125595080606456,
      -0.025101956451335533,
    ]);
  });

  test('factors of a block', () => {
    expect([4, 8, 16, 32, 64, 512].map(hadamardFactors)).toEqual([6, 5, 4, 3, 3, 3]);
    expect([1, 2, 3, 64, 65].map(givensRounds)).toEqual([0, 2, 4, 12, 14]);
    expect(drawing('givens', 200, 64)(new Random(0)).factors).toBe(64 * 6);
    expect(drawing('hadamard', 200, 37)(new Random(0)).factors).toBe(3);
  });

  test('none is the identity', () => {
    expect(matrixOf(drawing('none', 99, 3)(new Random(0)))).toEqual([
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]);
  });

  test('sizes that are no positive integers are refused', () => {
    expect(() => drawing('gaussian', 0, 3)(new Random(0))).toThrow('directions must be a positive integer; got 0.');
    expect(() => drawing('gaussian', 3, 2.5)(new Random(0))).toThrow('dHead must be a positive integer; got 2.5.');
    for (const numFeatures of [2 ** 30, 2 ** 31, 2 ** 32, 2 ** 33]) {
      expect(() => drawing('orthogonal', numFeatures, 5)(new Random(0))).toThrow(/too large: use fewer features/);
    }
  });
});
