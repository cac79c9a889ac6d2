/** Exact attention and LSH where scores are longer than float32 has digits: the largest score wins, in the gradients too. */
import { describe, expect, it } from 'vitest';
import { exactAttention } from '../../src/attention/exact.ts';
import { lshAttention } from '../../src/attention/lsh.ts';
import { Random } from '../../src/base/random.ts';
import { createBackend } from '../../src/entries/performers.ts';
import { multiply } from '../../src/tensor/ops/elementwise.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { backends } from './backends.ts';

const all = [...backends, { backend: await createBackend({ backend: 'wasm', numThreads: 1 }) }];

function drawn(count: number, seed: number, size: number): Float32Array {
  const random = new Random(seed, 1);
  return Float32Array.from({ length: count }, () => size * random.normal());
}

const read = (tensors: readonly Tensor[]) => Promise.all(tensors.map((each) => each.data()));

describe.each(all)('$backend.name', ({ backend }) => {
  describe.each([1e5, 1e6, 1e9, 1e15, 1e18])('entries of %d', (size) => {
    it.each([
      [129, 131, 2],
      [5, 67, 13],
      [37, 2, 61],
      [70, 300, 64],
    ])('exact attention of %d queries and %d keys of width %d', async (lengthQ, lengthK, d) => {
      const dValue = 3;
      const [q, k] = [drawn(lengthQ * d, 1, size), drawn(lengthK * d, 2, size)];
      const [v, weight] = [drawn(lengthK * dValue, 3, 1), drawn(lengthQ * dValue, 4, 1)];
      const winners = Array.from({ length: lengthQ }, (_, i) => {
        const scores = Array.from({ length: lengthK }, (_, j) =>
          q.subarray(i * d, i * d + d).reduce((total, x, c) => total + x * k[j * d + c], 0),
        );
        const best = scores.indexOf(Math.max(...scores));
        const second = Math.max(...scores.filter((_, j) => j !== best));
        // float32 tells the two apart
        return scores[best] - second > 1e-4 * size * size ? best : -1;
      });
      const [queries, keys] = [tensor(backend, q, [1, 1, lengthQ, d]), tensor(backend, k, [1, 1, lengthK, d])];
      const values = tensor(backend, v, [1, 1, lengthK, dValue]);
      const clear = weight.map((w, at) => (winners[Math.floor(at / dValue)] < 0 ? 0 : w));
      const weights = tensor(backend, clear, [1, 1, lengthQ, dValue]);
      const inputs = [queries, keys, values];
      const { gradients } = valueAndGradients(() => multiply(exactAttention(queries, keys, values), weights), inputs);
      const [out, dQ, dK, dV] = await read([exactAttention(queries, keys, values), ...gradients]);
      const expected = new Float64Array(lengthK * dValue);
      const errors = winners.flatMap((winner, i) =>
        winner < 0 ? [] : [0, 1, 2].map((c) => Math.abs(out[i * dValue + c] - v[winner * dValue + c])),
      );
      expect(Math.max(...errors)).toBeLessThan(1e-5);
      for (const [i, winner] of winners.entries())
        for (let c = 0; winner >= 0 && c < dValue; c++) expected[winner * dValue + c] += weight[i * dValue + c];
      expect(Math.max(...Array.from(dV, (value, at) => Math.abs(value - expected[at])))).toBeLessThan(1e-3);
      expect([...dQ, ...dK].every(Number.isFinite)).toBe(true);
    });

    it('LSH attention is finite, and a mean of values', async () => {
      const [length, d] = [67, 5];
      const queries = tensor(backend, drawn(length * d, 5, size), [1, 1, length, d]);
      const values = tensor(backend, drawn(length * 3, 6, 1), [1, 1, length, 3]);
      const rotations = tensor(backend, drawn(2 * 4 * d, 7, 1), [2, 4, d]);
      const attend = () => lshAttention(queries, values, { rotations, chunkLength: 16, numBuckets: 8 });
      const { gradients } = valueAndGradients(attend, [values]);
      const [out, dV] = await read([attend(), ...gradients]);
      const largest = (data: ArrayLike<number>) => Math.max(...Array.from(data, Math.abs));
      expect(largest(out)).toBeLessThanOrEqual(largest(await values.data()) * (1 + 1e-6));
      expect(Array.from(dV).reduce((total, each) => total + each, 0)).toBeCloseTo(length * 3, 2);
    });
  });
});
