import { describe, expect, it } from 'vitest';
import { exactAttention } from '../../src/attention/exact.ts';
import { EncoderDecoder, translationLoss } from '../../src/model/encoder-decoder.ts';
import type { EncoderDecoderOptions } from '../../src/model/encoder-decoder-configuration.ts';
import { Dropout } from '../../src/model/layers/dropout.ts';
import { translate } from '../../src/model/translate.ts';
import { activation, add } from '../../src/tensor/ops/elementwise.ts';
import { embedding } from '../../src/tensor/ops/embedding.ts';
import { layerNorm } from '../../src/tensor/ops/layer-norm.ts';
import { reshape } from '../../src/tensor/ops/layout.ts';
import { linear } from '../../src/tensor/ops/linear.ts';
import { scope } from '../../src/tensor/scope.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { expectGradients } from '../support/gradients.ts';
import { backend, drawParameters, ids, numbers } from '../support/tiny-transformer.ts';

const tiny: EncoderDecoderOptions = {
  sourceVocabSize: 11,
  targetVocabSize: 7,
  dModel: 6,
  numEncoderLayers: 1,
  numDecoderLayers: 2,
  numHeads: 3,
  dFeedForward: 5,
  maxLength: 13,
  positions: 'rotary',
};
const favor = { type: 'favor', numFeatures: 5 } as const;
const source = [3, 10, 0, 4, 4];
const target = [1, 6, 2, 2, 0, 5];

function model(options: Partial<EncoderDecoderOptions>): EncoderDecoder {
  return drawParameters(new EncoderDecoder(backend, { ...tiny, ...options }, 3));
}

function expectClose(actual: readonly number[], expected: readonly number[], bound = 1e-12): void {
  expect(actual).toHaveLength(expected.length);
  const worst = actual.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i])), 0);
  expect(worst).toBeLessThan(bound);
}

const attentions = [
  { attention: { type: 'exact' }, crossAttention: favor, positions: 'learned' },
  { attention: favor, crossAttention: favor, positions: 'rotary' },
  { attention: favor, crossAttention: { type: 'exact' }, positions: 'sinusoidal' },
  { attention: favor, crossAttention: { ...favor, featureMap: 'sigmoid' }, positions: 'none' },
] as const;

describe.each(attentions)('EncoderDecoder with $attention.type, $crossAttention.type and $positions', (options) => {
  it('refuses sizes that no memory is large enough for, without building layers', () => {
    for (const sizes of [{ numDecoderLayers: 1e9 }, { numEncoderLayers: 1e9 }, { dFeedForward: 1e9 }]) {
      expect(() => new EncoderDecoder(backend, { ...tiny, ...sizes })).toThrow('A model of these sizes has');
    }
  });

  it('has the gradients of central differences', async () => {
    const made = model({ ...options, numDecoderLayers: 1 });
    const [sources, inputs] = [ids([...source, 2, 9, 1, 1, 7], 2), ids([...target, 3, 3, 0, 1, 4, 6], 2)];
    const targets = ids([6, 2, 2, 0, 5, -1, 3, 0, 1, 4, 6, 2], 2);
    const pass = {
      sourceMask: [
        [1, 1, 1, 1, 1],
        [1, 1, 1, 0, 0],
      ],

      weight: 1 / 11,
    };
    const parameters = [...made.parameters()].filter(([name]) => {
      // These shift all of a query's scores alike, which exact attention does not notice.
      if (!name.endsWith('key.bias')) return true;
      return name.includes('crossAttention')
        ? options.crossAttention.type !== 'exact'
        : options.attention.type !== 'exact';
    });
    const loss = () =>
      translationLoss(made, sources, inputs, targets, { ...pass, dropout: new Dropout(0.3, [5, 0]) }).loss;
    await expectGradients(loss, Object.fromEntries(parameters), { samples: 2, bound: 1e-6, step: 3e-4 });
    made.dispose();
  });

  it('does not see padding of the source, nor later tokens of the target', async () => {
    const made = model(options);
    const encoded = await numbers(() => made.encode(ids(source)));
    const hidden = (sources: number[], targets: number[], sourceMask?: number[][]) =>
      numbers(() => made.decode(ids(targets), made.encode(ids(sources), { sourceMask }), { sourceMask }));
    const expected = await hidden(source, target);
    for (const padding of [
      [7, 7],
      [1, 10],
    ]) {
      const padded = [...source, ...padding];
      const sourceMask = [[1, 1, 1, 1, 1, 0, 0]];
      expectClose(await hidden(padded, target, sourceMask), expected);
      expectClose((await numbers(() => made.encode(ids(padded), { sourceMask }))).slice(0, encoded.length), encoded);
    }
    const other = await hidden(source, [...target.slice(0, 3), 4, 1, 1]);
    const width = 6;
    expect(other.slice(0, 3 * width)).toEqual(expected.slice(0, 3 * width));
    expect(other.slice(3 * width)).not.toEqual(expected.slice(3 * width));
    // The source counts, at every position of the target.
    const elsewhere = await hidden([3, 10, 1, 4, 4], target);
    for (let i = 0; i < target.length; i++)
      expect(Math.abs(elsewhere[i * width] - expected[i * width])).toBeGreaterThan(1e-6);
    made.dispose();
  });

  it('decodes step by step what one forward pass gives, with padding of the source too', async () => {
    const made = model(options);
    for (const sourceMask of [undefined, [[1, 1, 0, 1, 0]]]) {
      const expected = await numbers(() =>
        made.logits(made.decode(ids(target), made.encode(ids(source), { sourceMask }), { sourceMask })),
      );
      const states = scope(() => made.createStates(made.encode(ids(source), { sourceMask }), sourceMask));
      const logits = await numbers(() => made.extend(ids(target.slice(0, 2)), states));
      for (const token of target.slice(2)) logits.push(...(await numbers(() => made.extend(ids([token]), states))));
      expectClose(logits, expected);
      for (const state of states) {
        state.past.dispose();
        state.source.dispose();
      }
    }
    made.dispose();
  });
});

describe('EncoderDecoder', () => {
  it('takes a near field within a sequence, not from one to another', () => {
    const nearField = { ...favor, nearField: { block: 2 } };
    model({ attention: nearField }).dispose();
    expect(() => model({ crossAttention: nearField })).toThrow(/same positions/);
  });

  it('is pre-norm residual parts: self-attention, attention to the encoded source, feed-forward', async () => {
    const exact = { type: 'exact' } as const;
    const made = model({ positions: 'none', attention: exact, crossAttention: exact });
    const of = (name: string) => made.parameters().get(name)!;
    const project = (x: Tensor, name: string) => linear(x, of(`${name}.weight`), of(`${name}.bias`));
    const norm = (x: Tensor, name: string) => layerNorm(x, of(`${name}.weight`), of(`${name}.bias`), 1e-5);
    const attend = (x: Tensor, from: Tensor, name: string, causal: boolean) => {
      const [queries, keys, values] = ['query', 'key', 'value'].map((part, i) => {
        const given = i === 0 ? x : from;
        return reshape(project(given, `${name}.${part}`), [1, given.shape[1], 3, 2]);
      });
      const heads = exactAttention(queries, keys, values, { causal, layout: 'blhd' });
      return project(reshape(heads, x.shape), `${name}.output`);
    };
    const feedForward = (x: Tensor, name: string) =>
      project(activation(project(x, `${name}.expand`), 'gelu'), `${name}.contract`);
    const expected = await numbers(() => {
      let x = embedding(of('source.tokens.weight'), ids(source));
      const first = norm(x, 'encoder.0.attentionNorm');
      x = add(x, attend(first, first, 'encoder.0.attention', false));
      x = add(x, feedForward(norm(x, 'encoder.0.feedForwardNorm'), 'encoder.0.feedForward'));
      const encoded = norm(x, 'encoderNorm');
      let y = embedding(of('target.tokens.weight'), ids(target));
      for (const block of ['decoder.0', 'decoder.1']) {
        const own = norm(y, `${block}.attentionNorm`);
        y = add(y, attend(own, own, `${block}.attention`, true));
        y = add(y, attend(norm(y, `${block}.crossNorm`), encoded, `${block}.crossAttention`, false));
        y = add(y, feedForward(norm(y, `${block}.feedForwardNorm`), `${block}.feedForward`));
      }
      return linear(norm(y, 'decoderNorm'), of('target.tokens.weight'));
    });
    expectClose(await numbers(() => made.logits(made.decode(ids(target), made.encode(ids(source))))), expected);
    made.dispose();
  });

  it('leaves nothing behind', () => {
    const before = backend.bytesAllocated;
    const made = model({});
    scope(() => {
      const states = made.createStates(made.encode(ids(source)));
      made.extend(ids(target), states);
      for (const { past, source: memory } of states) {
        past.dispose();
        memory.dispose();
      }
    });
    made.dispose();
    expect(backend.bytesAllocated).toBe(before);
  });

  it('with FAVOR+ remembers a source in a size that does not depend on its length', () => {
    const made = model({ positions: 'none', attention: favor, crossAttention: favor });
    const sizeOf = (length: number) => {
      const before = backend.bytesAllocated;
      const states = scope(() => made.createStates(made.encode(ids(new Array(length).fill(1)))));
      const size = backend.bytesAllocated - before;
      for (const { past, source: memory } of states) {
        past.dispose();
        memory.dispose();
      }
      return size;
    };
    expect(sizeOf(5)).toBeGreaterThan(0);
    expect(sizeOf(300)).toBe(sizeOf(5));
    made.dispose();
  });

  it('draws other features from another redraw, and the first ones again from redraw 0', async () => {
    const made = model({});
    const first = await numbers(() => made.encode(ids(source)));
    made.redraw(3, 1);
    expect(await numbers(() => made.encode(ids(source)))).not.toEqual(first);
    made.redraw(3, 0);
    expect(await numbers(() => made.encode(ids(source)))).toEqual(first);
    made.dispose();
  });

  it('translates greedily token by token, until the stop token or the limit', async () => {
    const made = model({});
    const collect = async (options: { stop: number; maxTokens: number; seed?: number; temperature?: number }) => {
      const found: number[] = [];
      for await (const token of translate(made, source, { start: 1, temperature: 0, ...options })) found.push(token);
      return found;
    };
    const greedy = await collect({ stop: -1, maxTokens: 9 });
    expect(greedy).toHaveLength(9);
    const logits = await numbers(() => made.logits(made.decode(ids([1, ...greedy]), made.encode(ids(source)))));
    greedy.forEach((token, i) => {
      const row = logits.slice(7 * i, 7 * i + 7);
      expect(token).toBe(row.indexOf(Math.max(...row)));
    });
    const stop = greedy[5];
    expect(await collect({ stop, maxTokens: 9 })).toEqual(greedy.slice(0, greedy.indexOf(stop)));
    const drawn = (seed: number) => collect({ stop: -1, maxTokens: 30, seed, temperature: 3 });
    expect(await drawn(1)).toEqual(await drawn(1));
    expect(await drawn(1)).not.toEqual(await drawn(2));
    await expect(translate(made, [], { start: 1, stop: 2 }).next()).rejects.toThrow('the source has no tokens');
    await expect(translate(made, [11], { start: 1, stop: 2 }).next()).rejects.toThrow('outside the vocabulary of 11');
    made.dispose();
  });
});
