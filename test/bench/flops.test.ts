import { expect, test } from 'vitest';
import { crossover } from '../../bench/attention/lengths.ts';
import { exactFlops, FLOPS_PER_EXPONENTIAL, favorFlops, productFlops } from '../../bench/flops.ts';

const shape = { heads: 3, length: 7, dHead: 5 };

test('a product counts a multiplication and an addition per term', () => {
  expect(productFlops(2, 3, 5)).toBe(60);
});

test('FAVOR+: four products of L·m·d per head forward, six backward; an exponential per feature of queries and keys', () => {
  const unit = 3 * 7 * 11 * 5;
  expect(favorFlops(shape, 11, 'forward')).toEqual({ flops: 4 * 2 * unit, exponentials: 2 * 3 * 7 * 11 });
  expect(favorFlops(shape, 11, 'forward + backward')).toEqual({
    flops: (4 + 6) * 2 * unit,
    exponentials: 2 * 2 * 3 * 7 * 11,
  });
});

test('exact attention: two products of L²·d per head forward, five backward; causal half; a single causal query sees all keys', () => {
  const pairs = 3 * 7 * 7;
  expect(exactFlops(shape, false, 'forward')).toEqual({ flops: 2 * 2 * pairs * 5, exponentials: pairs });
  expect(exactFlops(shape, true, 'forward + backward')).toEqual({
    flops: (7 * 2 * pairs * 5) / 2,
    exponentials: pairs,
  });
  expect(exactFlops({ ...shape, lengthQ: 1 }, true, 'forward').flops).toBe(2 * 2 * 3 * 7 * 5);
});

test('an exponential counts as the six multiply-adds of a polynomial of degree 6', () => {
  expect(FLOPS_PER_EXPONENTIAL).toBe(2 * 6);
});

test('the crossover of a quadratic and a linear time is where they are equal', () => {
  const points = [128, 256, 512, 1024].map((length) => ({ length, slow: length ** 2, fast: 600 * length }));
  expect(crossover(points)).toBeCloseTo(600, 9);
  expect(crossover(points.slice(0, 3))).toBeUndefined();
  expect(crossover(points.slice(3))).toBeUndefined();
  // equal at the last length, not yet slower
  expect(crossover([128, 256].map((length) => ({ length, slow: length ** 2, fast: 256 * length })))).toBeUndefined();
});
