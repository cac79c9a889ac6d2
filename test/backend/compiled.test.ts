import { afterAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/types.ts';
import { createBackend } from '../../src/node.ts';

const backends: Record<string, Backend> = {};
for (const numThreads of [1, 2]) {
  backends[`native, ${numThreads}`] = await createBackend({ backend: 'native', numThreads });
}
afterAll(() => {
  for (const backend of Object.values(backends)) backend.close();
});

const { default: seed } = { default: 1 };
function numbers(count: number, salt = seed): Float32Array {
  let state = salt * 2654435761;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

describe.each(Object.keys(backends))('%s threads', (name) => {
  const backend = backends[name];
  it('multiplies', async () => {
    const [m, n, k] = [37, 41, 43];
    const a = numbers(m * k, 2);
    const b = numbers(k * n, 3);
    const c = backend.allocate(m * n);
    backend.gemm({ a: backend.upload(a), b: backend.upload(b), c, m, n, k });
    const result = await backend.read(c);
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) sum += a[i * k + l] * b[l * n + j];
        expect(Math.abs(result[i * n + j] - sum)).toBeLessThan(1e-4);
      }
    }
  });
});
