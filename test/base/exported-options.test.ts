import { expect, test } from 'vitest';
import { Masking } from '../../src/entries/data.ts';
import { approximationReport, attentionRows, smallestNumFeatures } from '../../src/entries/inspect.ts';
import { sampleToken, wikitextToText } from '../../src/entries/internal.ts';
import { exportOnnx } from '../../src/entries/onnx.ts';
import {
  ConfigurationError,
  createBackend,
  DataError,
  drawFeatures,
  EncoderDecoder,
  exactAttention,
  favorAttention,
  generate,
  lshAttention,
  Random,
  Transformer,
  type TransformerOptions,
  tensor,
  translate,
} from '../../src/entries/performers.ts';
import { trainBpe, trainCharacters, trainUnigram } from '../../src/entries/tokenizers.ts';
import { Trainer } from '../../src/entries/training.ts';

const backend = await createBackend({ backend: 'reference' });
const x = tensor(backend, new Float32Array(12), [1, 2, 3, 2]);
const ids = tensor(backend, [1, 2], [1, 2], 'int32');
const model = new Transformer(backend, { vocabSize: 5, dModel: 4, numLayers: 1, numHeads: 2, dFeedForward: 4 });
const layers = { numEncoderLayers: 1, numDecoderLayers: 1, dModel: 4, numHeads: 2, dFeedForward: 4 };
const translator = new EncoderDecoder(backend, { sourceVocabSize: 5, targetVocabSize: 5, ...layers });

/** Every call takes options of which a key is misspelt; the nearest one. */
const calls: Record<string, [nearest: string, call: (options: never) => unknown, options: object]> = {
  createBackend: ['backend', (options) => createBackend(options), { backends: 'native' }],
  exactAttention: ['causal', (options) => exactAttention(x, x, x, options), { casual: true }],
  favorAttention: ['causal', (options) => favorAttention(x, x, x, options), { casual: true }],
  features: ['numFeatures', (options) => drawFeatures(backend, 2, options), { numFeature: 3 }],
  lshAttention: ['rotations', (options) => lshAttention(x, x, options), { rotation: x }],
  attentionRows: ['exact', (options) => attentionRows(x, x, [0], options), { exacts: true }],
  approximationReport: ['maxRows', (options) => approximationReport(x, x, x, options), { maxRow: 1 }],
  smallestNumFeatures: ['draws', (options) => smallestNumFeatures(x, x, x, options), { error: 1, draw: 1 }],
  Transformer: ['dModel', (options) => new Transformer(backend, options), { vocabSize: 5, dModle: 4 }],
  EncoderDecoder: [
    'dModel',
    (options) => new EncoderDecoder(backend, options),
    { sourceVocabSize: 5, targetVocabSize: 5, dModle: 4 },
  ],
  'new Transformer’s own': [
    'initialise',
    (options) => new Transformer(backend, { vocabSize: 5 }, 0, options),
    { initialize: false },
  ],
  forward: ['keyMask', (options) => model.forward(ids, options), { keyMasks: [] }],
  generate: ['maxTokens', (options) => generate(model, [1], options).next(), { maxToken: 5 }],
  translate: ['start', (options) => translate(translator, [1], options).next(), { starts: 1 }],
  sampleToken: ['topK', (options) => sampleToken([1], options, new Random(0)), { topk_: 1 }],
  exportOnnx: ['graphs', (options) => exportOnnx(model, options), { graph: [] }],
  Masking: ['fraction', (options) => new Masking(options), { fractions: 0.1 }],
  trainBpe: ['vocabSize', (options) => trainBpe(['a'], options), { vocabsize_: 300 }],
  trainCharacters: ['vocabSize', (options) => trainCharacters(['a'], options), { vocabsize_: 300 }],
  trainUnigram: ['vocabSize', (options) => trainUnigram(['a'], options), { vocabsize_: 300 }],
  Trainer: ['configuration', (options) => new Trainer(options), { configurations: {} }],
  wikitextToText: ['fileNamespaces', (options) => wikitextToText('', options), { fileNamespace: [] }],
};

test.each(Object.keys(calls))('%s names the key that was meant', async (name) => {
  const [nearest, call, options] = calls[name]!;
  const outcome = await (async () => call(options as never))().then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(ConfigurationError);
  expect((outcome as Error).message).toMatch(new RegExp(`^Unknown key "\\w+" in .*: did you mean "${nearest}"\\?$`));
});

test('a Float32Array where a tensor is wanted says how to make one', () => {
  const numbers = new Float32Array(12) as never;
  const sentence =
    'favorAttention: queries is a Float32Array where a Tensor is wanted; make a tensor with tensor(backend, data, shape).';
  expect(() => favorAttention(numbers, x, x)).toThrow(new DataError(sentence));
  expect(() => exactAttention(x, [1] as never, x)).toThrow(/keys is an Array where a Tensor is wanted/);
});

test('a configuration in code is refused in the sentence of the command line', () => {
  expect(() => new Transformer(backend, { vocabSize: 0 })).toThrow(ConfigurationError);
  expect(() => new Transformer(backend, { vocabSize: 5, dModel: 10, numHeads: 4 })).toThrow(
    'Key "numHeads" in the model configuration is invalid: numHeads must divide dModel; choose, say, dModel 512 with 8 heads.',
  );
  expect(() => model.replaceAttention({ attention: 'favour' as never })).toThrow(ConfigurationError);
});

test('a misspelt feature map fails in the type checker, and when it runs', () => {
  // @ts-expect-error relo is no feature map
  expect(() => drawFeatures(backend, 2, { featureMap: 'relo' })).toThrow(ConfigurationError);
  // @ts-expect-error relo is no feature map
  const options: TransformerOptions = { vocabSize: 5, attention: { type: 'favor', featureMap: 'relo' } };
  expect(() => new Transformer(backend, options)).toThrow(ConfigurationError);
});
