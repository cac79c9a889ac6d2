import { describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { add } from '../../src/tensor/ops/elementwise.ts';
import { reshape } from '../../src/tensor/ops/layout.ts';
import { keep, scope } from '../../src/tensor/scope.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { Tensor, tensor } from '../../src/tensor/tensor.ts';

const make = (backend: ReturnType<typeof createReferenceBackend>) => tensor(backend, Float32Array.of(1, 2), [2]);

describe('scope', () => {
  it('frees what it made except what it returns, kept or not', async () => {
    const backend = createReferenceBackend();
    const before = backend.bytesAllocated;
    const outer = scope(() => {
      const a = make(backend);
      const inner = scope(() => ({ sum: add(a, a), list: [make(backend)] }));
      expect(() => inner.sum.storage).not.toThrow();
      return inner.sum;
    });
    expect(Array.from(await outer.data())).toEqual([2, 4]);
    outer.dispose();
    expect(backend.bytesAllocated).toBe(before);
  });

  it('leaves kept tensors alone', () => {
    const backend = createReferenceBackend();
    const kept = scope(() => {
      const tensors = [keep(make(backend))];
      return { size: tensors.length, get: () => tensors[0] };
    }).get();
    expect(() => kept.storage).not.toThrow();
  });

  it('frees everything when its function throws', () => {
    const backend = createReferenceBackend();
    const before = backend.bytesAllocated;
    expect(() =>
      scope(() => {
        make(backend);
        throw new Error('midway');
      }),
    ).toThrow('midway');
    expect(backend.bytesAllocated).toBe(before);
  });

  it('refuses asynchronous functions', () => {
    expect(() => scope(async () => 1)).toThrow('must not be asynchronous');
  });

  it('keeps memory while a reshaped view needs it', async () => {
    const backend = createReferenceBackend();
    const view = scope(() => reshape(make(backend), [1, 2]));
    expect(Array.from(await view.data())).toEqual([1, 2]);
    view.dispose();
    expect(() => view.storage).toThrow('used after its disposal');
  });
});

describe('valueAndGradients', () => {
  it('frees everything but its results, and gives zeros where the loss does not reach', async () => {
    const backend = createReferenceBackend();
    const [a, unused] = [make(backend), make(backend)];
    const before = backend.bytesAllocated;
    const { value, gradients } = valueAndGradients(() => add(add(a, a), a), [a, unused]);
    expect(Array.from(await value.data())).toEqual([3, 6]);
    expect(Array.from(await gradients[0].data())).toEqual([3, 3]);
    expect(Array.from(await gradients[1].data())).toEqual([0, 0]);
    for (const result of [value, ...gradients]) result.dispose();
    expect(backend.bytesAllocated).toBe(before);
  });

  it('refuses to nest', () => {
    const backend = createReferenceBackend();
    const a = make(backend);
    expect(() => valueAndGradients(() => valueAndGradients(() => a, [a]).value, [a])).toThrow('already on');
  });
});

describe('Tensor', () => {
  it('refuses numbers that do not fill its shape', () => {
    const backend = createReferenceBackend();
    expect(() => tensor(backend, new Float32Array(5), [2, 3])).toThrow('[2, 3] needs 6 numbers; got 5');
    expect(() => Tensor.empty(backend, [2]).view([3])).toThrow('the sizes differ');
  });
});
