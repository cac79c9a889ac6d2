/** Results do not depend on the number of threads, and every unit of a job runs exactly once. */

import { afterAll, describe, expect, it } from 'vitest';
import { CheckedBackend } from '../../src/backend/checked.ts';
import { dividedRows, exponentialEstimator, snapshotsLength } from '../../src/backend/projection-sizes.ts';
import type { Backend, BackendName, Storage } from '../../src/backend/types.ts';
import { createBackend, Random } from '../../src/entries/performers.ts';
import { compiledBackends } from './available.ts';

const opened: Backend[] = [];
afterAll(() => {
  for (const backend of opened) backend.close();
});

async function open(backend: BackendName, numThreads: number): Promise<Backend> {
  const created = await createBackend({ backend, numThreads });
  expect(created.numThreads).toBe(numThreads);
  opened.push(created);
  return created;
}

/** Large enough that every kernel below has many units. */
async function outputs(backend: Backend): Promise<Record<string, Uint8Array>> {
  const random = new Random(7);
  const normal = (count: number): Storage =>
    backend.upload(Float32Array.from({ length: count }, () => random.normal()));
  const read = async (storage: Storage): Promise<Uint8Array> => {
    const { buffer, byteOffset, byteLength } = await backend.read(storage);
    return new Uint8Array(buffer, byteOffset, byteLength);
  };

  const [m, n, k] = [257, 263, 269];
  const product = backend.allocate(m * n);
  backend.gemm({ a: normal(m * k), b: normal(k * n), c: product, m, n, k });

  const [rows, width] = [1009, 67];
  const columns = backend.allocate(width);
  const matrix = normal(rows * width);
  backend.sumAxis({ x: matrix, out: columns, outer: 1, length: rows, inner: width });

  const [heads, length, dHead, numFeatures] = [5, 509, 32, 61];
  const count = heads * length * dHead;
  const sizes = {
    heads,
    lengthQ: length,
    lengthK: length,
    dHead,
    dValue: dHead,
    layout: 'blhd',
    numSequences: 1,
  } as const;
  const sequences = backend.upload(Int32Array.of(0, 0, length, 0, length, 0));
  const arrays = { ...sizes, q: normal(count), k: normal(count), v: normal(count), sequences };
  const out = backend.allocate(count);
  const denominator = backend.allocate(heads * length);
  const features = { ...exponentialEstimator(numFeatures), ...dividedRows, projection: normal(numFeatures * dHead) };
  const snapshots = backend.allocate(snapshotsLength(sizes, numFeatures));
  backend.favorCausal({ ...arrays, ...features, out, denominator, snapshots });
  const [dQ, dK, dV] = [count, count, count].map((size) => backend.allocate(size));
  backend.favorCausalBackward({ ...arrays, ...features, out, denominator, snapshots, dOut: normal(count), dQ, dK, dV });
  const exact = backend.allocate(count);
  const logSumExp = backend.allocate(heads * length);
  backend.softmaxAttention({ ...arrays, out: exact, logSumExp, causal: true, scale: dHead ** -0.5, normalise: true });

  const large = normal(1_000_003);
  const squaredNorm = new Uint8Array(Float64Array.of(await backend.squaredNorm(large)).buffer);
  const results = { product, columns, out, dQ, dK, dV, exact };
  const entries = Object.entries(results).map(async ([name, storage]) => [name, await read(storage)] as const);
  return { ...Object.fromEntries(await Promise.all(entries)), squaredNorm };
}

describe.each(compiledBackends)('%s', (name) => {
  it('gives the same bits with 1, 2 and 5 threads', async () => {
    const one = await outputs(await open(name, 1));
    for (const numThreads of [2, 5]) {
      const several = await outputs(await open(name, numThreads));
      for (const [key, bytes] of Object.entries(one)) {
        expect(Buffer.compare(several[key], bytes), `${key}, ${numThreads} threads`).toBe(0);
      }
    }
  });

  it('runs every unit of thousands of small jobs once, with more threads than processors', async () => {
    const backend = await open(name, 5);
    const rounds = 3000;
    // One addition per element and round: a unit left out or done twice leaves another number.
    const length = 3 * 65536 + 17;
    const counters = backend.upload(new Float32Array(length));
    const ones = backend.upload(new Float32Array(length).fill(1));
    for (let round = 0; round < rounds; round++) backend.axpy(1, ones, counters);
    const wrong = (await backend.read(counters)).findIndex((value) => value !== rounds);
    expect(wrong).toBe(-1);
  });
});

describe('wasm', () => {
  it('reports a kernel that leaves its memory instead of waiting for ever', async () => {
    // Only the last id is bad, so that it may fall to the calling thread or to a worker; a few rounds meet both.
    const failures: string[] = [];
    for (let round = 0; round < 8; round++) {
      const backend = await createBackend({ backend: 'wasm', numThreads: 4 });
      // The door refuses such ids, so the kernel is called behind the door.
      const bare = CheckedBackend.behind(backend);
      const [count, width] = [2000, 512];
      const ids = new Int32Array(count).fill(0);
      ids[count - 1] = 2 ** 19;
      const out = bare.allocate(count * width);
      const call = { table: bare.allocate(width), ids: bare.upload(ids), out, count, width };
      for (const run of [() => bare.embedding(call), () => bare.fill(out, 0)]) {
        try {
          run();
        } catch (error) {
          failures.push((error as Error).message);
        }
      }
      backend.close();
    }
    expect(failures).toHaveLength(16);
    expect(failures.filter((message) => message.includes('stopped after an earlier failure'))).toHaveLength(8);
  });
});
