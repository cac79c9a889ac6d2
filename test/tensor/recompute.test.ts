import { describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { activation, add, multiply } from '../../src/tensor/ops/elementwise.ts';
import { linear } from '../../src/tensor/ops/linear.ts';
import { softmaxCrossEntropy } from '../../src/tensor/ops/losses.ts';
import { recompute } from '../../src/tensor/ops/recompute.ts';
import { reversible } from '../../src/tensor/ops/reversible.ts';
import { scope } from '../../src/tensor/scope.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { expectGradients, randomTensor } from '../support/gradients.ts';

const backend = createReferenceBackend();
const random = (shape: number[], seed: number) => randomTensor(backend, shape, seed);
const wide = () => ({ expand: random([7, 3], 1), contract: random([5, 7], 2) });
const numbers = async (tensors: readonly Tensor[]) => Promise.all(tensors.map(async (x) => Array.from(await x.data())));

describe('valueAndGradients with a seed', () => {
  it('gives the gradients of the sum that the seed weighs, and leaves the seed as it was', async () => {
    const [x, y, seed] = [random([2, 3], 1), random([2, 3], 2), random([2, 3], 3)];
    const loss = () => multiply(add(x, y), x);
    const { value, gradients } = valueAndGradients(loss, [x, y], seed);
    const [xs, ys, weights, values, dX, dY] = await numbers([x, y, seed, value, ...gradients]);
    for (const i of xs.keys()) {
      expect(values[i]).toBeCloseTo((xs[i] + ys[i]) * xs[i], 14);
      expect(dX[i]).toBeCloseTo(weights[i] * (2 * xs[i] + ys[i]), 14);
      expect(dY[i]).toBeCloseTo(weights[i] * xs[i], 14);
    }
    expect(await numbers([seed])).toEqual([weights]);
    // The seed may be the gradient itself.
    const same = valueAndGradients(() => add(x, y), [x, y], seed);
    expect(await numbers(same.gradients)).toEqual([weights, weights]);
  });

  it('weighs the rows of a fused cross-entropy, recomputed', async () => {
    const { expand } = wide();
    const x = random([11, 3], 3);
    const targets = tensor(
      backend,
      Int32Array.from({ length: 11 }, (_, i) => (3 * i) % 7),
      [11],
    );
    const rows = () => softmaxCrossEntropy(linear(x, expand), targets).loss;
    const weights = random([11], 4);
    await expectGradients(() => multiply(recompute(rows, x, [expand]), weights), { expand });
    const { gradients } = valueAndGradients(rows, [expand], weights);
    const expected = valueAndGradients(() => multiply(rows(), weights), [expand]).gradients;
    const [actual, wanted] = await numbers([gradients[0], expected[0]]);
    for (const i of wanted.keys()) expect(actual[i]).toBeCloseTo(wanted[i], 12);
  });

  it('refuses a seed of another shape', () => {
    const x = random([2, 3], 1);
    expect(() => valueAndGradients(() => add(x, x), [x], random([3, 2], 2))).toThrow('seed');
  });
});

describe('recompute', () => {
  for (const numPieces of [1, 3, 11, 50]) {
    it(`in ${numPieces} pieces: values and gradients of what is not recomputed`, async () => {
      const { expand, contract } = wide();
      const unused = random([2], 4);
      const x = random([1, 11, 3], 3);
      const weights = random([1, 11, 5], 5);
      const fn = (rows: Tensor) => linear(activation(linear(rows, expand), 'gelu'), contract);
      const all = [x, expand, contract, unused];
      const plain = valueAndGradients(() => multiply(fn(x), weights), all);
      const given = { fn: 0 };
      const counted = (rows: Tensor) => {
        given.fn++;
        return fn(rows);
      };
      const loss = () => multiply(recompute(counted, x, [expand, contract, unused], numPieces), weights);
      const again = valueAndGradients(loss, all);
      expect(given.fn).toBe(2 * Math.min(numPieces, 11));
      expect(again.value.shape).toEqual(plain.value.shape);
      const [actual, expected] = [
        await numbers([again.value, ...again.gradients]),
        await numbers([plain.value, ...plain.gradients]),
      ];
      for (const [t, values] of expected.entries()) {
        expect(values.some((value) => value !== 0)).toBe(t < 4);
        for (const [i, value] of values.entries()) expect(actual[t][i]).toBeCloseTo(value, 12);
      }
    });
  }

  it('within itself, with the input alone tracked, or a parameter alone', async () => {
    const { expand, contract } = wide();
    const x = random([11, 3], 3);
    const inner = (rows: Tensor) => recompute((r) => activation(linear(r, expand), 'gelu'), rows, [expand], 2);
    const loss = () =>
      activation(
        recompute((rows) => linear(inner(rows), contract), x, [expand, contract], 3),
        'gelu',
      );
    for (const tracked of [{ x, expand, contract }, { x }, { contract }] as Record<string, Tensor>[]) {
      await expectGradients(loss, tracked, { samples: 11 });
    }
  });

  it('leaves nothing behind, with a tape and without', () => {
    const { expand, contract } = wide();
    const x = random([11, 3], 3);
    const before = backend.bytesAllocated;
    for (const numPieces of [1, 3]) {
      const loss = () =>
        recompute((rows) => linear(activation(linear(rows, expand), 'relu'), contract), x, [expand], numPieces);
      loss().dispose();
      expect(backend.bytesAllocated).toBe(before);
      scope(() => void valueAndGradients(loss, [x, expand]));
      expect(backend.bytesAllocated).toBe(before);
    }
  });
});

describe('reversible', () => {
  const layers = () => [1, 2, 3].map((seed) => random([3, 3], seed));
  const steps = (weights: readonly Tensor[]) =>
    weights.map((weight) => ({ residual: (x: Tensor) => activation(linear(x, weight), 'gelu'), parameters: [weight] }));

  it('is the mean of two streams that take turns, and undoes none of its input', async () => {
    const [a, b, c] = layers();
    const x = random([5, 3], 7);
    const [original] = await numbers([x]);
    const f = (weight: Tensor, y: Tensor) => activation(linear(y, weight), 'gelu');
    for (const count of [0, 1, 2, 3]) {
      const x1 = count > 0 ? add(x, f(a, x)) : x;
      const x2 = count > 1 ? add(x, f(b, x1)) : x;
      const last = count > 2 ? add(x1, f(c, x2)) : x1;
      const [p, q, actual] = await numbers([last, x2, reversible(x, steps([a, b, c].slice(0, count)))]);
      for (const i of p.keys()) expect(actual[i], `${count} steps`).toBeCloseTo((p[i] + q[i]) / 2, 14);
      scope(() => void valueAndGradients(() => reversible(x, steps([a, b, c].slice(0, count))), [x, a]));
      expect(await numbers([x])).toEqual([original]);
    }
  });

  it('has the gradients of central differences, also where steps share a parameter', async () => {
    const [a, b, c] = layers();
    const x = random([5, 3], 7);
    const loss = () => activation(reversible(x, steps([a, b, a, c])), 'gelu');
    for (const tracked of [{ x, a, b, c }, { x }, { b }] as Record<string, Tensor>[]) {
      await expectGradients(loss, tracked);
    }
  });

  it('leaves nothing behind, with a tape and without', () => {
    const weights = layers();
    const x = random([5, 3], 7);
    const before = backend.bytesAllocated;
    reversible(x, steps(weights)).dispose();
    expect(backend.bytesAllocated).toBe(before);
    scope(() => void valueAndGradients(() => reversible(x, steps(weights)), weights));
    expect(backend.bytesAllocated).toBe(before);
  });
});
