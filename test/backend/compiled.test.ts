/** What the compiled backends promise about storage; the kernels' values are tested in conformance/. */

import { afterAll, describe, expect, it } from 'vitest';
import { dividedRows, exponentialEstimator } from '../../src/backend/projection-sizes.ts';
import type { Backend, Storage } from '../../src/backend/types.ts';
import { createBackend } from '../../src/entries/performers.ts';
import { compiledBackends } from './available.ts';

// One thread too: memory that is not shared detaches its views when it grows.
const variants = compiledBackends.flatMap((name) => [1, 2].map((numThreads) => ({ name, numThreads })));
const opened: Backend[] = [];
for (const { name, numThreads } of variants) opened.push(await createBackend({ backend: name, numThreads }));
afterAll(() => {
  for (const backend of opened) backend.close();
});

describe.each(variants)('$name, threads: $numThreads', ({ name, numThreads }) => {
  const backend = opened[variants.findIndex((other) => other.name === name && other.numThreads === numThreads)];
  const read = async (storage: Storage): Promise<number[]> => [...(await backend.read(storage))];

  it('keeps numbers of every type', async () => {
    expect(await read(backend.upload(Float32Array.of(1.5, -2)))).toEqual([1.5, -2]);
    expect(await read(backend.upload(Float64Array.of(0.1)))).toEqual([Math.fround(0.1)]);
    expect(await read(backend.upload(Int32Array.of(2 ** 31 - 1, -7)))).toEqual([2 ** 31 - 1, -7]);
    const doubles = backend.allocate(2, 'float64');
    backend.write(doubles, Float64Array.of(0.1, 0.2));
    expect(await read(doubles)).toEqual([0.1, 0.2]);
  });

  it('writes from an offset on, slices and copies', async () => {
    const x = backend.upload(Float32Array.of(0, 1, 2, 3, 4));
    backend.write(x, Float32Array.of(9, 8), 3);
    expect(await read(x)).toEqual([0, 1, 2, 9, 8]);
    const middle = backend.slice(x, 1, 3);
    backend.scale(middle, middle, 2);
    expect(await read(x)).toEqual([0, 2, 4, 18, 8]);
    expect(await read(backend.slice(middle, 2, 1))).toEqual([18]);
    const target = backend.allocate(5);
    backend.copy(x, target);
    backend.fill(x, 0);
    expect(await read(target)).toEqual([0, 2, 4, 18, 8]);
    const integers = backend.allocate(3, 'int32');
    backend.fill(integers, -5);
    expect(await read(integers)).toEqual([-5, -5, -5]);
  });

  it('still reads and writes after its memory has grown', async () => {
    const small = backend.upload(Float32Array.of(1, 2, 3));
    const large = backend.allocate(16 * 2 ** 20);
    backend.fill(large, 4);
    const last = backend.slice(large, large.length - 1, 1);
    backend.add(last, backend.slice(small, 2, 1), last);
    expect(await read(last)).toEqual([7]);
    expect(await read(small)).toEqual([1, 2, 3]);
    backend.release(large);
  });

  it('does nothing, without harm, for zero sizes', async () => {
    const none = backend.allocate(0);
    const ids = backend.allocate(0, 'int32');
    const x = backend.upload(Float32Array.of(1, 2));
    backend.fill(none, 1);
    backend.add(none, none, none);
    backend.sumAxis({ x: none, out: x, outer: 1, length: 0, inner: 2 });
    expect(await read(x)).toEqual([0, 0]);
    backend.embedding({ table: x, ids, out: none, count: 0, width: 2 });
    backend.gemm({ a: none, b: x, c: none, m: 0, n: 1, k: 2 });
    for (const m of [2, 7]) {
      const c = backend.upload(new Float32Array(m).fill(5));
      backend.gemm({ a: none, b: none, c, m, n: 1, k: 0 });
      expect(await read(c)).toEqual(new Array(m).fill(0));
    }
    expect(await backend.squaredNorm(none)).toBe(0);
    expect(await read(none)).toEqual([]);
    const sequences = ids;
    const sizes = { heads: 1, lengthQ: 0, lengthK: 0, dHead: 2, dValue: 2, layout: 'bhld', numSequences: 0 } as const;
    const arrays = { ...sizes, q: none, k: none, v: none, sequences, projection: x, out: none, normalise: true };
    const estimator = { ...exponentialEstimator(1), ...dividedRows };
    backend.favorCausal({ ...arrays, ...estimator, denominator: none });
    backend.softmaxAttention({ ...arrays, logSumExp: none, causal: true, scale: 1 });
  });

  it('refuses storage that is too short, of another type, released, or not its own', async () => {
    const two = backend.upload(Float32Array.of(1, 2));
    const three = backend.upload(Float32Array.of(1, 2, 3));
    const integers = backend.upload(Int32Array.of(1, 2, 3));
    expect(() => backend.add(two, three, three)).toThrow(/a has 2 elements of float32 where 3 of float32 are needed/);
    expect(() => backend.add(integers, three, three)).toThrow(/a has 3 elements of int32/);
    expect(() => backend.write(three, Float32Array.of(1), 3)).toThrow(/1 numbers at 3 do not fit a storage of 3/);
    expect(() => backend.slice(three, 2, 2)).toThrow(/2 elements from 2 on are not in a storage of 3/);
    expect(() => backend.slice(three, -1, 1)).toThrow(/1 elements from -1 on are not/);
    expect(() => backend.allocate(-1)).toThrow(/length is -1/);
    expect(() => backend.release(backend.slice(three, 0, 1))).toThrow(/slice cannot be released/);
    const part = backend.slice(three, 0, 1);
    backend.release(three);
    expect(() => backend.fill(part, 0)).toThrow(/has been released/);
    expect(() => backend.release(three)).toThrow(/has been released/);
    await expect(backend.read(three)).rejects.toThrow(/has been released/);
    const other = await createBackend({ backend: name, numThreads: 1 });
    expect(() => other.fill(two, 1)).toThrow(/does not belong/);
    const mine = other.allocate(1);
    other.close();
    other.close();
    expect(() => other.fill(mine, 1)).toThrow(/is closed/);
    expect(() => other.allocate(1)).toThrow(/is closed/);
  });

  it('says so when memory runs out, and continues', async () => {
    expect(() => backend.allocate(2 ** 50)).toThrow(/cannot allocate .* use a smaller batch/);
    expect(await read(backend.upload(Float32Array.of(3)))).toEqual([3]);
  });
});
