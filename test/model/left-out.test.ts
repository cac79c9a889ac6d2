/** What padding alone touches changes neither outputs nor gradients, whatever it holds: to the bit. */
import { describe, expect, it } from 'vitest';
import type { TransformerOptions } from '../../src/model/configuration.ts';
import { EncoderDecoder, translationLoss } from '../../src/model/encoder-decoder.ts';
import { classificationLoss, languageModelLoss } from '../../src/model/losses.ts';
import { type ForwardOptions, Transformer } from '../../src/model/transformer.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { backends } from '../attention/backends.ts';

/** NaN is alone, as it would hide what is beside it. */
const foreign = [[Number.NaN], [Number.POSITIVE_INFINITY, 3e38]];
const sizes = { dModel: 12, numLayers: 2, numHeads: 2, dFeedForward: 7, maxLength: 9 };
const [vocabSize, padding, length] = [11, 10, 7];
const lengths = [5, 3];
const isValid = lengths.map((size) => Array.from({ length }, (_, i) => i < size));
const tokens = [3, 1, 4, 1, 5, 9, 2, 6, 8, 5, 3, 7, 9, 3];
const padded = isValid.flat().map((valid, at) => (valid ? tokens[at] : padding));
const keyMask = isValid.map((row) => row.map(Number));
const segments = isValid.map((row) => row.map((valid) => (valid ? 4 : -1)));
/** Two sequences in the first row, with padding between them and at the end. */
const packed = [
  [0, 0, -1, 1, 1, 1, -1],
  [0, 0, 0, 0, -1, -1, -1],
];
const ofPacked = packed.flat().map((segment, at) => (segment < 0 ? padding : tokens[at]));

type Loss = (model: Transformer, ids: Tensor, options: ForwardOptions) => Tensor;
/** Elements of a parameter, by their index and its last axis. */
type Elements = (index: number, width: number) => boolean;
const row =
  (number: number): Elements =>
  (index, width) =>
    Math.floor(index / width) === number;
const column =
  (number: number): Elements =>
  (index, width) =>
    index % width === number;
type Run = () => { value: Tensor; gradients: Tensor[] };

describe.each(backends)('$backend.name', ({ backend }) => {
  const int32 = (values: readonly number[], shape: number[]) => tensor(backend, Int32Array.from(values), shape);
  const tokenLoss: Loss = (model, ids, options) => {
    const of = (options.segments ?? segments).flatMap((row) => Array.from(row));
    const targets = of.map((segment, at) => (segment < 0 ? -1 : (tokens[at] * 3) % vocabSize));
    return languageModelLoss(model, ids, int32(targets, [2, length]), options).loss;
  };
  const classLoss: Loss = (model, ids, options) => classificationLoss(model, ids, int32([2, 0], [2]), options).loss;
  const pooled: Loss = (model, ids, options) => model.pool(model.forward(ids, options), options);

  /** Outputs and gradients of each run, with finite weights and then with foreign numbers at some elements of parameters. */
  async function expectSame(
    parameters: ReadonlyMap<string, Tensor>,
    holdsAt: Readonly<Record<string, Elements>>,
    run: Run,
  ): Promise<void> {
    const results = async () => {
      const { value, gradients } = run();
      return Promise.all([value, ...gradients].map((each) => each.data()));
    };
    const before = await results();
    expect(before.every((data) => data.every(Number.isFinite))).toBe(true);
    for (const [name, holds] of Object.entries(holdsAt)) {
      const parameter = parameters.get(name)!;
      const finite = await parameter.data();
      for (const numbers of foreign) {
        const width = parameter.shape.at(-1)!;
        const poisoned = Float32Array.from(finite, (each, at) =>
          holds(at, width) ? numbers[at % numbers.length] : each,
        );
        backend.write(parameter.storage, poisoned);
        expect(await results(), `${name} with ${numbers}`).toEqual(before);
      }
      backend.write(parameter.storage, finite);
    }
  }

  const kinds: Record<string, [options: Partial<TransformerOptions>, loss: Loss]> = {
    'masked tokens': [{ causal: false, tiedEmbeddings: false }, tokenLoss],
    'masked tokens, post-norm with an embedding norm': [
      { causal: false, tiedEmbeddings: false, norm: 'post', embeddingNorm: true, tokenTypes: 2 },
      tokenLoss,
    ],
    'next tokens': [{ causal: true, tiedEmbeddings: false }, tokenLoss],
    'next tokens, reversible': [{ causal: true, tiedEmbeddings: false, reversible: true }, tokenLoss],
    classes: [{ causal: false, numClasses: 3, languageHead: false }, classLoss],
    'vectors of text': [{ causal: false, languageHead: false }, pooled],
  };
  const attentions = [
    { type: 'exact' },
    { type: 'favor', numFeatures: 7 },
    { type: 'lsh' },
    { type: 'linformer', projectedLength: 4, projections: 'learned' },
  ] as const;
  describe.each(attentions)('$type', (attention) => {
    const isLinformer = attention.type === 'linformer';
    const all = Object.entries(kinds).filter(
      ([name]) => ['exact', 'favor'].includes(attention.type) || name === 'masked tokens',
    );
    it.each(all)('%s', async (_, [options, loss]) => {
      const positions = attention.type === 'exact' ? 'learned' : 'rotary';
      const model = new Transformer(backend, { ...sizes, vocabSize, attention, positions, ...options }, 3);
      const parameters = model.parameters();
      const types = options.tokenTypes ? isValid.map((row) => row.map((valid) => (valid ? 0 : 1))) : undefined;
      const ofColumns: Record<string, Elements> = isLinformer
        ? { 'blocks.0.attention.keyProjection': column(6), 'blocks.1.attention.valueProjection': column(5) }
        : {};
      const ofPositions: Record<string, Elements> = positions === 'learned' ? { 'positions.weight': row(6) } : {};
      const ofTypes: Record<string, Elements> = types ? { 'tokenTypes.weight': row(1) } : {};
      const batches: [number[], ForwardOptions, Record<string, Elements>][] = [
        // Positions of padding behind a sequence are counted on.
        [padded, { keyMask, tokenTypes: types }, { ...ofColumns, ...ofPositions }],
        [padded, { keyMask: tensor(backend, Float32Array.from(keyMask.flat()), [2, length]) }, {}],
        [padded, { segments, tokenTypes: types }, { ...ofColumns, ...ofTypes }],
      ];
      if (loss === tokenLoss && !isLinformer) batches.push([ofPacked, { segments: packed }, {}]);
      for (const [ids, options, more] of batches) {
        if (loss !== tokenLoss && !Array.isArray(options.keyMask ?? [])) continue;
        await expectSame(parameters, { 'tokens.weight': row(padding), ...more }, () =>
          valueAndGradients(() => loss(model, int32(ids, [2, length]), options), [...parameters.values()]),
        );
      }
      model.dispose();
    });
  });

  it('from one sequence to another', async () => {
    const vocabularies = { sourceVocabSize: vocabSize, targetVocabSize: 12, positions: 'learned' } as const;
    const { numLayers, ...others } = sizes;
    const layers = { numEncoderLayers: numLayers, numDecoderLayers: numLayers };
    const model = new EncoderDecoder(backend, { ...others, ...layers, ...vocabularies }, 3);
    const parameters = model.parameters();
    const targets = tokens.map((token, at) => (isValid.flat()[at] ? token : -1));
    const holdsAt = {
      'source.tokens.weight': row(padding),
      'source.positions.weight': row(6),
      'target.positions.weight': row(6),
    };
    const batch = [padded, padded, targets].map((ids) => int32(ids, [2, length]));
    await expectSame(parameters, holdsAt, () =>
      valueAndGradients(
        () => translationLoss(model, batch[0], batch[1], batch[2], { sourceMask: keyMask, targetMask: keyMask }).loss,
        [...parameters.values()],
      ),
    );
    model.dispose();
  });

  it('patches of images', async () => {
    const patches = { imageSize: 4, patchSize: 2, channels: 1 };
    const { maxLength, ...others } = sizes;
    const model = new Transformer(
      backend,
      { ...others, vocabSize: 0, patches, causal: false, positions: 'learned', numClasses: 3, languageHead: false },
      3,
    );
    const parameters = [...model.parameters().values()];
    const mask = [[1, 1, 1, 0, 1]];
    const results = async (numbers: readonly number[]) => {
      const pixels = Float32Array.from({ length: 16 }, (_, at) =>
        at >> 2 === 2 ? numbers[at % numbers.length] : at / 16,
      );
      const input = tensor(backend, pixels, [1, 4, 4]);
      const { value, gradients } = valueAndGradients(
        () => classificationLoss(model, input, int32([1], [1]), { keyMask: mask }).loss,
        parameters,
      );
      return Promise.all([value, ...gradients].map((each) => each.data()));
    };
    const expected = await results([0.5]);
    for (const numbers of foreign) expect(await results(numbers)).toEqual(expected);
    model.dispose();
  });
});
