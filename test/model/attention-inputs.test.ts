import { afterAll, describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import type { Backend } from '../../src/backend/types.ts';
import { createBackend } from '../../src/entries/performers.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { scope } from '../../src/tensor/scope.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { hasAddon } from '../backend/available.ts';

const sizes = { vocabSize: 11, dModel: 12, numHeads: 3, dFeedForward: 7, maxLength: 13, positions: 'rotary' } as const;
const [batch, length, heads, dHead] = [2, 5, 3, 4];
const ids = Int32Array.of(1, 4, 10, 4, 7, 2, 0, 9, 9, 3);

/** `x Wᵀ + b`, its heads first: `[batch, heads, length, dHead]`, rotated if `rotate`. */
async function projected(x: ArrayLike<number>, weight: Tensor, bias: Tensor, rotate: boolean): Promise<Float64Array> {
  const [w, b] = [await weight.data(), await bias.data()];
  const { dModel } = sizes;
  const out = new Float64Array(batch * length * dModel);
  for (let row = 0; row < batch * length; row++) {
    const position = row % length;
    const y = Array.from(b, (start, o) =>
      Array.from({ length: dModel }).reduce<number>(
        (sum, _, i) => sum + x[row * dModel + i] * w[o * dModel + i],
        start,
      ),
    );
    for (let o = 0; o < dModel; o++) {
      const c = o % dHead;
      const angle = rotate ? position * 10_000 ** (-(c - (c % 2)) / dHead) : 0;
      const rotated = y[o] * Math.cos(angle) + (c % 2 === 0 ? -y[o + 1] : y[o - 1]) * Math.sin(angle);
      const head = Math.floor(o / dHead);
      out[((Math.floor(row / length) * heads + head) * length + position) * dHead + c] = rotate ? rotated : y[o];
    }
  }
  return out;
}

describe('attentionInputs', () => {
  const backends: (() => Promise<Backend>)[] = [async () => createReferenceBackend()];
  if (hasAddon) backends.push(() => createBackend({ backend: 'native', numThreads: 2 }));
  const opened: Backend[] = [];
  afterAll(() => {
    for (const backend of opened) backend.close();
  });
  for (const open of backends) {
    it('is what the projections of every layer give, heads first', async () => {
      const backend = await open();
      opened.push(backend);
      const model = new Transformer(
        backend,
        { ...sizes, numLayers: 2, attention: { type: 'favor', numFeatures: 7 } },
        3,
      );
      const shallow = new Transformer(
        backend,
        { ...sizes, numLayers: 1, attention: { type: 'favor', numFeatures: 7 } },
        3,
      );
      const named = model.parameters();
      const targets = [...shallow.parameters(), ...shallow.buffers()];
      for (const [name, { storage }] of targets) {
        backend.write(storage, await (named.get(name) ?? model.buffers().get(name))!.data());
      }
      const given = tensor(backend, ids, [batch, length]);
      const inputs = model.attentionInputs(given);
      expect(inputs).toHaveLength(2);
      // The norms still have gain 1 and bias 0, so that the shallow model's last norm is that of the second layer.
      const hidden = scope(() => shallow.forward(given));
      const second = await hidden.data();
      const table = await named.get('tokens.weight')!.data();
      const first = Float64Array.from({ length: ids.length * sizes.dModel }, (_, at) => {
        const start = ids[Math.floor(at / sizes.dModel)] * sizes.dModel;
        const row = Array.from(table.subarray(start, start + sizes.dModel));
        const mean = row.reduce((a, b) => a + b, 0) / sizes.dModel;
        const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / sizes.dModel;
        return (row[at % sizes.dModel] - mean) / Math.sqrt(variance + 1e-5);
      });
      for (const [layer, x] of [first, second].entries()) {
        for (const [name, tensorOf] of [
          ['query', 'queries'],
          ['key', 'keys'],
          ['value', 'values'],
        ] as const) {
          const of = (part: string) => named.get(`blocks.${layer}.attention.${name}.${part}`)!;
          const expected = await projected(x, of('weight'), of('bias'), name !== 'value');
          const actual = inputs[layer][tensorOf];
          expect(actual.shape).toEqual([batch, heads, length, dHead]);
          const data = await actual.data();
          data.forEach((value, i) => {
            expect(Math.abs(value - expected[i]), `${layer} ${name} ${i}`).toBeLessThan(1e-6);
          });
        }
      }
    });
  }

  it('leaves nothing else behind', () => {
    const backend = createReferenceBackend();
    const model = new Transformer(backend, { ...sizes, numLayers: 2, attention: { type: 'exact' } });
    const before = backend.bytesAllocated;
    scope(() => {
      model.attentionInputs(tensor(backend, ids, [batch, length]));
    });
    expect(backend.bytesAllocated).toBe(before);
  });
});
