import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exactAttention } from '../../../src/attention/exact.ts';
import { favorAttention } from '../../../src/attention/favor.ts';
import { type FeatureSearch, smallestNumFeatures } from '../../../src/attention/inspect/num-features.ts';
import { approximationReport } from '../../../src/attention/inspect/report.ts';
import { createReferenceBackend } from '../../../src/backend/reference/backend.ts';
import type { Tensor } from '../../../src/tensor/tensor.ts';
import { randomInputs, uploadInputs } from '../quadratic-form.ts';

const backend = createReferenceBackend();
const sizes = { batch: 1, heads: 2, lengthQ: 11, lengthK: 13, dHead: 3, dValue: 5 };
let queries: Tensor;
let keys: Tensor;
let values: Tensor;
beforeAll(() => {
  ({ queries, keys, values } = uploadInputs(backend, randomInputs(sizes, 11, 0.7)));
});
afterAll(() => backend.close());

/** ‖out − exact‖/‖exact‖ with features drawn from `seed`. */
async function errorOf(numFeatures: number, seed: number): Promise<number> {
  const [out, exact] = await Promise.all([
    favorAttention(queries, keys, values, { causal: true, features: { numFeatures, seed } }).data(),
    exactAttention(queries, keys, values, { causal: true }).data(),
  ]);
  return Math.hypot(...out.map((x, i) => x - exact[i])) / Math.hypot(...exact);
}

async function medianError(numFeatures: number, seeds: readonly number[]): Promise<number> {
  const errors = await Promise.all(seeds.map((seed) => errorOf(numFeatures, seed)));
  return errors.sort((a, b) => a - b)[(seeds.length - 1) / 2];
}

const search = (error: number, options = {}): Promise<FeatureSearch> =>
  smallestNumFeatures(queries, keys, values, {
    error,
    causal: true,
    features: { seed: 40 },
    maxNumFeatures: 600,
    ...options,
  });

describe('smallestNumFeatures', () => {
  it('meets the error with what it found and misses it with 16 fewer', async () => {
    const found = await search(0.15);
    const m = found.numFeatures!;
    expect(m % 16).toBe(0);
    expect(m).toBeGreaterThan(32);
    expect(await medianError(m, [40, 41, 42])).toBeLessThanOrEqual(0.15);
    expect(await medianError(m - 16, [40, 41, 42])).toBeGreaterThan(0.15);
    // Other draws agree within the noise of one median.
    const fresh = await medianError(m, [1, 2, 3, 4, 5, 6, 7]);
    expect(fresh).toBeGreaterThan(0.1);
    expect(fresh).toBeLessThan(0.2);
  });

  it('gives the curve it measured, by rising numbers of features', async () => {
    const { error, numFeatures, curve } = await search(0.15);
    expect(error).toBe(0.15);
    const tried = curve.map((point) => point.numFeatures);
    expect(tried).toEqual([...new Set(tried)].sort((a, b) => a - b));
    expect(tried).toContain(16);
    expect(tried).toContain(numFeatures);
    for (const point of [curve[0], curve[curve.length - 1]]) {
      expect(point.error).toBeCloseTo(await medianError(point.numFeatures, [40, 41, 42]), 10);
    }
  });

  it('needs more features for a smaller error', async () => {
    const found = await Promise.all([0.8, 0.2, 0.15, 0.11].map((error) => search(error)));
    const counts = found.map(({ numFeatures }) => numFeatures!);
    expect(counts[0]).toBe(16);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(new Set(counts).size).toBe(4);
  });

  it('says so if the limit does not do, having tried it', async () => {
    const found = await search(1e-4, { maxNumFeatures: 100 });
    expect(found).not.toHaveProperty('numFeatures');
    expect(found.curve.map(({ numFeatures }) => numFeatures)).toEqual([16, 32, 64, 96]);
  });

  it('goes into a report, on the queries that it measures', async () => {
    const options = { causal: true, maxRows: 5, seed: 3 };
    const alone = await search(0.2, options);
    const { smallestNumFeatures: found } = await approximationReport(queries, keys, values, {
      ...options,
      features: { numFeatures: 8, seed: 40 },
      smallestNumFeatures: { error: 0.2, maxNumFeatures: 600 },
    });
    expect(found).toEqual(alone);
    expect(found).not.toEqual(await search(0.2));
  });

  it('refuses what cannot be searched', async () => {
    await expect(search(0)).rejects.toThrow('error is 0; give a positive relative error');
    await expect(search(0.1, { draws: 0 })).rejects.toThrow('draws is 0');
    await expect(search(0.1, { maxNumFeatures: 15 })).rejects.toThrow('maxNumFeatures is 15; give at least 16');
    await expect(search(0.1, { maxRows: 0 })).rejects.toThrow('maxRows is 0');
    await expect(search(0.1, { features: { featureMap: 'relu' } })).rejects.toThrow(
      'cannot be drawn in other numbers, as they are always 3',
    );
  });
});
