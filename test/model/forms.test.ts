import { describe, expect, it } from 'vitest';
import type { TransformerOptions } from '../../src/model/configuration.ts';
import { imagePatches } from '../../src/model/layers/patch-embedding.ts';
import { classificationLoss, languageModelLoss } from '../../src/model/losses.ts';
import { type ForwardOptions, Transformer } from '../../src/model/transformer.ts';
import { scope } from '../../src/tensor/scope.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { expectGradients, randomTensor } from '../support/gradients.ts';
import { backend, drawnTransformer, ids, numbers } from '../support/tiny-transformer.ts';

const tiny: TransformerOptions = {
  vocabSize: 11,
  dModel: 6,
  numLayers: 2,
  numHeads: 3,
  dFeedForward: 7,
  maxLength: 13,
  causal: false,
  attention: { type: 'favor', numFeatures: 7 },
};

const model = (options: Partial<TransformerOptions>) => drawnTransformer({ ...tiny, ...options });

const hidden = (made: Transformer, input: Tensor, options?: ForwardOptions) =>
  numbers(() => made.forward(input, options));

function largestDifference(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);
}

describe('gradients by central differences', () => {
  const inputs = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3];
  const targets = [2, 7, 1, 8, 2, 8, 1, 8, 2, 8];

  it('of a post-norm model with token types, an embedding norm and a language head of its own', async () => {
    const bert = model({
      norm: 'post',
      embeddingNorm: true,
      tokenTypes: 3,
      outputTransform: true,
      outputBias: true,
      exactLayers: [1],
    });
    const tokenTypes = [
      [0, 0, 1, 2, 1],
      [2, 2, 1, 1, 0],
    ];
    const loss = () => languageModelLoss(bert, ids(inputs, 2), ids(targets, 2), { tokenTypes }).loss;
    const parameters = bert.parameters();
    // A softmax does not depend on what is the same for all keys: the gradient is zero.
    parameters.delete('blocks.1.attention.key.bias');
    await expectGradients(loss, Object.fromEntries(parameters), { samples: 4, bound: 1e-5 });
  });

  it('of a model with token dropout', async () => {
    const esm = model({ tokenDropout: { maskToken: 1, ratio: 0.12 }, positions: 'rotary', tiedEmbeddings: false });
    const maskedTokens = [
      [0, 1, 0, 1, 0],
      [0, 0, 0, 0, 0],
    ];
    const loss = () => languageModelLoss(esm, ids(inputs, 2), ids(targets, 2), { maskedTokens }).loss;
    await expectGradients(loss, Object.fromEntries(esm.parameters()), { samples: 4, bound: 1e-5 });
  });

  it('of a model of image patches with a pooler', async () => {
    const vit = model({
      vocabSize: 0,
      languageHead: false,
      patches: { imageSize: 6, patchSize: 2, channels: 3 },
      pooler: true,
      numClasses: 5,
    });
    const patches = randomTensor(backend, [2, 9, 12], 5);
    const classes = tensor(backend, Int32Array.of(4, 1), [2]);
    const loss = () => classificationLoss(vit, patches, classes).loss;
    await expectGradients(loss, Object.fromEntries(vit.parameters()), { samples: 4, bound: 1e-5 });
  });
});

describe('token dropout', () => {
  const esm = model({ tokenDropout: { maskToken: 1, ratio: 0.12 }, positions: 'none', numLayers: 1 });
  const plain = model({ positions: 'none', numLayers: 1 });

  it('takes the share of mask tokens from the valid positions of each sequence', async () => {
    const table = await plain.parameters().get('tokens.weight')!.data();
    const embedded = (token: number, scale: number) =>
      Array.from(table.subarray(token * 6, (token + 1) * 6), (x) => x * scale);
    // Two of four valid positions are masked; the last is padding.
    const scale = (1 - 0.12) / (1 - 2 / 4);
    const vectors = [embedded(3, scale), embedded(1, 0), embedded(4, scale), embedded(1, 0)].flat();
    const maskedTokens = [[0, 1, 0, 1, 0]];
    const result = await hidden(esm, ids([3, 1, 4, 1, 7]), { maskedTokens, keyMask: [[1, 1, 1, 1, 0]] });
    // The same model over a table that holds those vectors.
    const other = model({ positions: 'none', numLayers: 1 });
    const { storage } = other.parameters().get('tokens.weight')!;
    backend.write(storage, Float64Array.from(vectors));
    const expected = await hidden(other, ids([0, 1, 2, 3]));
    expect(largestDifference(result.slice(0, 24), expected)).toBeLessThan(1e-6);
  });

  it('counts packed sequences one by one', async () => {
    const maskedTokens = [[0, 1, 0, 0, 0, 0, 1]];
    const tokens = [3, 1, 4, 2, 5, 9, 1];
    const packed = await hidden(esm, ids(tokens), { maskedTokens, segments: [[0, 0, 0, 1, 1, 1, 1]] });
    const first = await hidden(esm, ids(tokens.slice(0, 3)), { maskedTokens: [[0, 1, 0]] });
    const second = await hidden(esm, ids(tokens.slice(3)), { maskedTokens: [[0, 0, 0, 1]] });
    expect(largestDifference(packed, [...first, ...second])).toBeLessThan(1e-12);
  });

  it('says what it needs', () => {
    expect(() => scope(() => esm.forward(ids([3, 1])))).toThrow(/give maskedTokens/);
  });
});

describe('image patches', () => {
  it('are cut row by row, channels first', () => {
    const sizes = { imageSize: 4, patchSize: 2, channels: 2 };
    const pixels = Float32Array.from({ length: 64 }, (_, i) => i);
    const patches = imagePatches(pixels, sizes);
    // Second image, third patch (lower left): both channels' rows 2 and 3, columns 0 and 1.
    expect(Array.from(patches.subarray(32 + 16, 32 + 24))).toEqual([40, 41, 44, 45, 56, 57, 60, 61]);
    expect(() => imagePatches(pixels.subarray(1), sizes)).toThrow(/63 numbers are not whole images of 32/);
  });

  it('must be as many as the model has positions for', () => {
    const vit = model({ vocabSize: 0, languageHead: false, patches: { imageSize: 6, patchSize: 2, channels: 3 } });
    const wrong = randomTensor(backend, [1, 8, 12], 1);
    expect(() => scope(() => vit.forward(wrong))).toThrow('This model takes patches [batch, 9,12] but got [1,8,12]');
    expect(() => scope(() => vit.logits(randomTensor(backend, [1, 6], 1)))).toThrow(/no language head/);
  });
});

describe('token types', () => {
  it('are all 0 unless given, and must exist', async () => {
    const bert = model({ tokenTypes: 2 });
    const given = await hidden(bert, ids([1, 2, 3]), { tokenTypes: [[0, 0, 0]] });
    expect(await hidden(bert, ids([1, 2, 3]))).toEqual(given);
    expect(largestDifference(await hidden(bert, ids([1, 2, 3]), { tokenTypes: [[0, 1, 0]] }), given)).toBeGreaterThan(
      0.01,
    );
    expect(() => scope(() => bert.forward(ids([1, 2]), { tokenTypes: [[0, 2]] }))).toThrow(
      /Token type 2 does not exist/,
    );
    expect(() => scope(() => model({}).forward(ids([1, 2]), { tokenTypes: [[0, 0]] }))).toThrow(/has no token types/);
  });
});

describe('attention by layer', () => {
  const tokens = ids([3, 1, 4, 1, 5, 9, 2]);

  it('is exact in exactLayers, and replaced under the same weights', async () => {
    const favor = model({});
    const hybrid = model({ exactLayers: [1] });
    const exact = model({ attention: 'exact' });
    const outputs = {
      favor: await hidden(favor, tokens),
      hybrid: await hidden(hybrid, tokens),
      exact: await hidden(exact, tokens),
    };
    expect(largestDifference(outputs.favor, outputs.hybrid)).toBeGreaterThan(1e-3);
    expect(largestDifference(outputs.exact, outputs.hybrid)).toBeGreaterThan(1e-3);
    const inputs = await Promise.all(
      [favor, hybrid].map(async (made) => Array.from(await made.attentionInputs(tokens)[1].queries.data())),
    );
    expect(inputs[0], 'the first layer is the same').toEqual(inputs[1]);
    expect([...hybrid.buffers().keys()].some((name) => name.startsWith('blocks.1.'))).toBe(false);

    exact.replaceAttention({ attention: { type: 'favor', numFeatures: 7 }, exactLayers: [1] }, 3);
    expect(exact.configuration).toEqual(hybrid.configuration);
    expect(await hidden(exact, tokens)).toEqual(outputs.hybrid);
    exact.replaceAttention({ attention: 'exact', exactLayers: [] });
    expect(await hidden(exact, tokens)).toEqual(outputs.exact);
  });

  it('is not replaced by one with weights of its own', async () => {
    const favor = model({});
    const before = await hidden(favor, tokens);
    expect(() => favor.replaceAttention({ attention: 'lsh' })).toThrow(/train a new model/);
    expect(() => favor.replaceAttention({ exactLayers: [2] })).toThrow(/less than numLayers/);
    expect(favor.configuration.attention.type).toBe('favor');
    expect(await hidden(favor, tokens)).toEqual(before);
  });
});

it.each([
  [
    'patches with a vocabulary',
    { patches: { imageSize: 6, patchSize: 2, channels: 3 } },
    /vocabSize must be at least 1, or 0/,
  ],
  ['no vocabulary', { vocabSize: 0 }, /vocabSize must be at least 1/],
  [
    'uneven patches',
    { vocabSize: 0, languageHead: false, patches: { imageSize: 7, patchSize: 2, channels: 3 } },
    /patchSize must divide/,
  ],
  [
    'causal patches',
    { vocabSize: 0, languageHead: false, causal: true, patches: { imageSize: 6, patchSize: 2, channels: 3 } },
    /bidirectional/,
  ],
  ['causal token dropout', { causal: true, tokenDropout: { maskToken: 1, ratio: 0.1 } }, /tokenDropout needs to see/],
  ['reversible post-norm', { reversible: true, norm: 'post' }, /set norm: pre/],
] as const)('refuses %s', (_, options, message) => {
  expect(() => new Transformer(backend, { ...tiny, ...options })).toThrow(message);
});
