import { describe, expect, it } from 'vitest';
import {
  geometricInterval,
  meanInterval,
  median,
  ranks,
  ratioInterval,
  spearman,
  studentQuantile,
} from '../../experiments/results/statistics.ts';
import { directionsFor } from '../../experiments/theorems/uniform.ts';
import { Random } from '../../src/entries/performers.ts';

describe('statistics of the experiments', () => {
  it('Student quantiles as in printed tables', () => {
    const table: [number, number][] = [
      [1, 12.7062],
      [2, 4.3027],
      [5, 2.5706],
      [14, 2.1448],
      [59, 2.001],
      [1000, 1.9623],
      [20_000, 1.96],
    ];
    for (const [degrees, expected] of table) expect(studentQuantile(degrees)).toBeCloseTo(expected, 3);
  });

  it('an interval by hand: 1, 2, 3, 6 has mean 3 and standard error √(14/12)', () => {
    const { mean, low, high } = meanInterval([1, 2, 3, 6]);
    const half = 3.18245 * Math.sqrt(14 / 12);
    expect(mean).toBe(3);
    expect(high).toBeCloseTo(3 + half, 4);
    expect(low).toBeCloseTo(3 - half, 4);
    expect(meanInterval([7])).toEqual({ mean: 7, low: -Infinity, high: Infinity });
  });

  it('about 95 of 100 intervals hold the mean', () => {
    // 4,000 intervals of 5 normals: binomial with deviation 0.35 %; ±1.8 % is 5.2 of these, failure below 1e-6.
    const random = new Random(11);
    let held = 0;
    for (let i = 0; i < 4000; i++) {
      const { low, high } = meanInterval(Array.from({ length: 5 }, () => 3 + 2 * random.normal()));
      if (low <= 3 && 3 <= high) held++;
    }
    expect(held / 4000).toBeGreaterThan(0.932);
    expect(held / 4000).toBeLessThan(0.968);
  });

  it('ratios are paired, and their means geometric', () => {
    expect(geometricInterval([1, 4]).mean).toBeCloseTo(2, 12);
    const { mean, low, high } = ratioInterval([2, 40, 600], [1, 20, 300]);
    for (const value of [mean, low, high]) expect(value).toBeCloseTo(2, 9);
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('ranks share the mean of their places where values are equal', () => {
    expect([...ranks([30, 10, 20])]).toEqual([3, 1, 2]);
    expect([...ranks([5, 1, 5, 5, -2])]).toEqual([4, 2, 4, 4, 1]);
    expect([...ranks([])]).toEqual([]);
  });

  it('Spearman by hand, with and without ties', () => {
    // Without ties 1 − 6·Σd²/(n(n² − 1)): d = (−1, 1, 0, 0, 0), so 1 − 12/120.
    expect(spearman([1, 2, 3, 4, 5], [20, 10, 30, 400, 5000])).toBeCloseTo(0.9, 12);
    expect(spearman([1, 2, 3, 4], [-1, -10, -100, -1000])).toBeCloseTo(-1, 12);
    // Ranks 1, 2.5, 2.5, 4 against 2, 1, 4, 3: deviations −1.5, 0, 0, 1.5 and −0.5, −1.5, 1.5, 0.5, so 1.5/√(4.5·5).
    expect(spearman([1, 7, 7, 9], [0.2, 0.1, 0.9, 0.3])).toBeCloseTo(1.5 / Math.sqrt(22.5), 12);
    expect(spearman([1, 1, 1], [1, 2, 3])).toBeNaN();
  });

  it('the directions for an error: interpolated in logarithms at the last passing', () => {
    // error = 8/√m passes 1 at m = 64, half-way between 32 and 128.
    const error = (m: number) => 8 / Math.sqrt(m);
    expect(directionsFor(1, [8, 32, 128], [8, 32, 128].map(error))).toBeCloseTo(64, 9);
    expect(directionsFor(1, [8, 16, 32, 64], [0.5, 2, 2, 0.5])).toBeCloseTo(32 * Math.SQRT2, 9);
    expect(directionsFor(1, [8, 16], [3, 2])).toBeUndefined();
    expect(directionsFor(9, [8, 16], [3, 2])).toBe(8);
  });
});
