/** Linformer against its formula in plain float64 loops. */
import { describe, expect, it } from 'vitest';
import { createAttention } from '../../src/attention/attention.ts';
import { type AttentionOptions, attentionSchema } from '../../src/attention/configuration.ts';
import { linformerAttention } from '../../src/attention/linformer.ts';
import type { AttendOptions } from '../../src/attention/types.ts';
import type { AttentionLayout, Backend } from '../../src/backend/types.ts';
import { Random } from '../../src/base/random.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { multiply } from '../../src/tensor/ops/elementwise.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { expectGradients, randomTensor } from '../support/gradients.ts';
import { backends } from './backends.ts';

const [{ backend: reference }] = backends;
const sizes = { batch: 2, heads: 3, lengthQ: 11, lengthK: 13, dHead: 5, dValue: 7, projectedLength: 4, maxLength: 17 };
const mask = [
  [1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1],
  [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
];

function given(backend: Backend, layout: AttentionLayout, sharing: 'heads' | 'none') {
  const { batch, heads, lengthQ, lengthK, dHead, dValue, projectedLength, maxLength } = sizes;
  const shape = (length: number, d: number) =>
    layout === 'bhld' ? [batch, heads, length, d] : [batch, length, heads, d];
  const projection = [...(sharing === 'none' ? [heads] : []), projectedLength, maxLength];
  return {
    queries: randomTensor(backend, shape(lengthQ, dHead), 1),
    keys: randomTensor(backend, shape(lengthK, dHead), 2),
    values: randomTensor(backend, shape(lengthK, dValue), 3),
    keyProjection: randomTensor(backend, projection, 4, 0.5),
    valueProjection: randomTensor(backend, projection, 5, 0.5),
  };
}

type Given = ReturnType<typeof given>;
const attend = ({ queries, keys, values, ...projections }: Given, options: AttendOptions = {}) =>
  linformerAttention(queries, keys, values, { ...options, ...projections });

/** The formula, one output element after the other. */
async function formula(inputs: Given, { layout = 'bhld', keyMask }: AttendOptions): Promise<number[]> {
  const { batch, heads, lengthQ, lengthK, dHead, dValue, projectedLength, maxLength } = sizes;
  const names = Object.keys(inputs) as (keyof Given)[];
  const data = Object.fromEntries(await Promise.all(names.map(async (n) => [n, await inputs[n].data()])));
  const at = (name: string, length: number, d: number, b: number, h: number, i: number, c: number): number =>
    data[name][(layout === 'bhld' ? ((b * heads + h) * length + i) * d : ((b * length + i) * heads + h) * d) + c];
  const isShared = inputs.keyProjection.shape.length === 2;
  const mixed = (projection: string, name: string, d: number, b: number, h: number, r: number, c: number) => {
    let sum = 0;
    for (let j = 0; j < lengthK; j++) {
      if (keyMask && (keyMask as number[][])[b][j] === 0) continue;
      sum +=
        data[projection][((isShared ? 0 : h) * projectedLength + r) * maxLength + j] * at(name, lengthK, d, b, h, j, c);
    }
    return sum;
  };
  const out = new Array<number>(batch * heads * lengthQ * dValue);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < lengthQ; i++) {
        const weights = Array.from({ length: projectedLength }, (_, r) => {
          let score = 0;
          for (let c = 0; c < dHead; c++) {
            score += at('queries', lengthQ, dHead, b, h, i, c) * mixed('keyProjection', 'keys', dHead, b, h, r, c);
          }
          return Math.exp(score / Math.sqrt(dHead));
        });
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (let c = 0; c < dValue; c++) {
          const row = layout === 'bhld' ? (b * heads + h) * lengthQ + i : (b * lengthQ + i) * heads + h;
          out[row * dValue + c] = weights.reduce(
            (sum, weight, r) => sum + (weight / total) * mixed('valueProjection', 'values', dValue, b, h, r, c),
            0,
          );
        }
      }
    }
  }
  return out;
}

describe.each(['bhld', 'blhd'] as const)('linformer, %s', (layout) => {
  describe.each(['heads', 'none'] as const)('sharing %s', (sharing) => {
    for (const { backend, rounding } of backends) {
      for (const keyMask of [undefined, mask]) {
        it(`${backend.name}${keyMask ? ', masked' : ''}: is its formula`, async () => {
          const inputs = given(backend, layout, sharing);
          const out = attend(inputs, { layout, keyMask });
          const [actual, expected] = [await out.data(), await formula(inputs, { layout, keyMask })];
          expect(actual).toHaveLength(expected.length);
          expected.forEach((x, i) => void expect(Math.abs(actual[i] - x)).toBeLessThan(10 * rounding));
        });
      }
    }

    it('gradients of queries, keys, values and both projections against central differences', async () => {
      const inputs = given(reference, layout, sharing);
      const weight = randomTensor(reference, attend(inputs, { layout }).shape, 99);
      const loss = () => multiply(attend(inputs, { layout, keyMask: mask }), weight);
      await expectGradients(loss, { ...inputs }, { bound: 1e-7, samples: 7 });
    });
  });
});

it('what is masked changes nothing, and columns beyond the length neither', async () => {
  const inputs = given(reference, 'bhld', 'heads');
  const expected = await attend(inputs, { keyMask: mask }).data();
  const { heads, lengthK, dHead } = sizes;
  const keys = await inputs.keys.data();
  for (let h = 0; h < heads; h++) keys.fill(1e3, (h * lengthK + 2) * dHead, (h * lengthK + 3) * dHead);
  const projection = (await inputs.keyProjection.data()).map((x, i) => (i % sizes.maxLength >= lengthK ? 1e6 : x));
  const changed = {
    ...inputs,
    keys: tensor(reference, keys, inputs.keys.shape),
    keyProjection: tensor(reference, projection, inputs.keyProjection.shape),
  };
  expect(await attend(changed, { keyMask: mask }).data()).toEqual(expected);
});

it('refuses what it cannot be: causal, packed, too long, decoding', () => {
  const inputs = given(reference, 'bhld', 'heads');
  expect(() => attend(inputs, { causal: true })).toThrow(/^Linformer mixes all positions, .* causal: false/);
  const packed = [0, 1].map(() => Array.from({ length: sizes.lengthK }, (_, i) => (i < 5 ? 0 : 1)));
  expect(() => attend(inputs, { keySegments: packed })).toThrow(/^Linformer .* no packed sequences/);
  const long = randomTensor(reference, [2, 3, 19, 5], 1);
  expect(() => attend({ ...inputs, keys: long, values: long })).toThrow('19 positions but the projections end at 17');
  const attention = made({ type: 'linformer' });
  expect(() => attention.createState({ batch: 1, heads: 3, dHead: 5, dValue: 5 })).toThrow(/cannot decode/);
});

const parse = (options: AttentionOptions) => attentionSchema.parse(options);
const made = (options: AttentionOptions, seed = 3) =>
  createAttention(reference, parse(options), { numHeads: 3, dHead: 5, maxLength: 17 }, new Random(seed));

describe('the projections of a layer', () => {
  it('learned ones are parameters that train, random ones buffers that are redrawn from the seed alone', async () => {
    const learned = made({ type: 'linformer', projectedLength: 4 });
    const random = made({ type: 'linformer', projectedLength: 4, projections: 'random' });
    expect([...(learned.parameters?.() ?? [])].map(([name, { shape }]) => [name, shape])).toEqual([
      ['keyProjection', [4, 17]],
      ['valueProjection', [4, 17]],
    ]);
    expect([...random.buffers()].map(([name, { shape }]) => [name, shape])).toEqual([
      ['keyProjection', [4, 17]],
      ['valueProjection', [4, 17]],
    ]);
    expect([learned.buffers().size, random.parameters?.().size]).toEqual([0, 0]);
    const numbers = async (tensors?: Map<string, Tensor>) =>
      (await Promise.all([...(tensors?.values() ?? [])].map(async (x) => Array.from(await x.data())))).flat();
    const [before, trained] = [await numbers(random.buffers()), await numbers(learned.parameters?.())];
    for (const attention of [random, learned]) attention.redraw(new Random(8));
    expect(await numbers(learned.parameters?.())).toEqual(trained);
    const redrawn = await numbers(random.buffers());
    expect(redrawn.filter((x, i) => x === before[i])).toEqual([]);
    random.redraw(new Random(3));
    expect(await numbers(random.buffers())).toEqual(before);
  });

  it('keep inner products in the mean: their entries have variance 1/projectedLength', async () => {
    const drawn = made({ type: 'linformer', projectedLength: 64, projections: 'random' });
    const data = Array.from(await (drawn.buffers().get('keyProjection') as Tensor).data());
    const variance = data.reduce((sum, x) => sum + x * x, 0) / data.length;
    // 1,088 entries: a standard error of 4.3 %.
    expect(Math.abs(variance * 64 - 1)).toBeLessThan(0.2);
  });

  it('belong to the model: named, differentiated, and refused in a causal one', () => {
    const options = { vocabSize: 7, dModel: 6, numLayers: 1, numHeads: 2, dFeedForward: 5, maxLength: 11 };
    const attention = { type: 'linformer', projectedLength: 3 } as const;
    const model = new Transformer(reference, { ...options, attention, causal: false });
    const parameters = model.parameters();
    expect(parameters.get('blocks.0.attention.keyProjection')?.shape).toEqual([3, 11]);
    const ids = tensor(reference, Int32Array.of(1, 4, 6, 2, 5), [1, 5]);
    const { gradients } = valueAndGradients(() => model.forward(ids), [...parameters.values()]);
    expect(gradients).toHaveLength(parameters.size);
    expect(() => new Transformer(reference, { ...options, attention })).toThrow(/Linformer.*causal: false/);
  });
});

it('takes one padded sequence a row, with a key mask or without', async () => {
  const inputs = given(reference, 'bhld', 'heads');
  const { lengthK } = sizes;
  const ends = [lengthK - 3, lengthK - 1];
  const keySegments = ends.map((end) => Array.from({ length: lengthK }, (_, i) => (i < end ? 4 : -1)));
  const padding = ends.map((end) => Array.from({ length: lengthK }, (_, i) => (i < end ? 1 : 0)));
  const expected = await attend(inputs, { keyMask: padding }).data();
  expect(await attend(inputs, { keySegments }).data()).toEqual(expected);
  expect(expected).not.toEqual(await attend(inputs, {}).data());
  const second = padding.map((row) => row.map((value, i) => (i === 1 ? 0 : value)));
  const both = await attend(inputs, {
    keyMask: second.map((row) => row.map((_, i) => (i === 1 ? 0 : 1))),
    keySegments,
  }).data();
  expect(both).toEqual(await attend(inputs, { keyMask: second }).data());
});
