import { describe, expect, it } from 'vitest';
import type { TransformerOptions } from '../../src/model/configuration.ts';
import { leastNumbers } from '../../src/model/size.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { backend, tinySizes } from '../support/tiny-transformer.ts';

const tiny: TransformerOptions = { ...tinySizes, dModel: 12, attention: 'exact' };

/** Numbers in the files of a model, which is built. */
function numbers(options: TransformerOptions): { least: number; held: number } {
  const model = new Transformer(backend, options, 1, { initialise: false });
  const tensors = [...model.parameters().values(), ...model.buffers().values()];
  const held = tensors.reduce((total, { size }) => total + size, 0);
  const least = leastNumbers(model.configuration);
  model.dispose();
  return { least, held };
}

describe('the least numbers of a model', () => {
  const forms: [string, Partial<TransformerOptions>][] = [
    ['exact', {}],
    ['rotary', { positions: 'rotary' }],
    ['one feature a head', { attention: { type: 'favor', numFeatures: 1 } }],
    ...(['orthogonal', 'gaussian', 'hadamard', 'givens', 'simplex'] as const).map(
      (projection): [string, Partial<TransformerOptions>] => [
        projection,
        { attention: { type: 'favor', numFeatures: 64, projection } },
      ],
    ),
    ['relu', { attention: { type: 'favor', featureMap: 'relu' } }],
    ['hyperbolic', { attention: { type: 'favor', numFeatures: 64, featureMap: 'hyperbolic' } }],
    ['auto', { attention: { type: 'auto', numFeatures: 64 } }],
    ['exact layers', { attention: { type: 'favor', numFeatures: 4096 }, exactLayers: [0, 1, 2] }],
    ['lsh', { attention: { type: 'lsh' } }],
    ['lsh, wide', { dModel: 96, attention: { type: 'lsh' } }],
    ['linformer', { attention: { type: 'linformer', projectedLength: 5 }, causal: false }],
    ['random linformer', { attention: { type: 'linformer', projections: 'random' }, causal: false }],
    ['reversible', { reversible: true }],
    ['untied', { tiedEmbeddings: false, outputBias: true }],
    [
      'patches',
      {
        vocabSize: 0,
        languageHead: false,
        causal: false,
        patches: { imageSize: 8, patchSize: 4, channels: 3 },
        numClasses: 3,
      },
    ],
  ];
  it.each(forms)('%s: no more than there are', (_, form) => {
    const { least, held } = numbers({ ...tiny, ...form });
    expect(least).toBeLessThanOrEqual(held);
    expect(least).toBeGreaterThan(0.2 * held);
  });

  it.each([
    { vocabSize: 2 ** 31 },
    { dModel: 12 * 2 ** 20 },
    { numLayers: 2 ** 32 },
    { dFeedForward: 2 ** 31 },
    { maxLength: 2 ** 31 },
    { attention: { type: 'favor', numFeatures: 2 ** 32, featureMap: { type: 'positive' } } },
    { tokenTypes: 2 ** 40 },
    { numClasses: 2 ** 32 },
    { attention: { type: 'lsh', numHashes: 2 ** 32, maxBuckets: 4 } },
    { attention: { type: 'linformer', projectedLength: 2 ** 32 }, causal: false },
  ] as Partial<TransformerOptions>[])('%j: more than any file of the tiny model holds', (form) => {
    const { held } = numbers(tiny);
    const { configuration } = new Transformer(backend, tiny, 1, { initialise: false });
    expect(leastNumbers({ ...configuration, ...form } as typeof configuration)).toBeGreaterThan(held);
  });

  it.each([
    { vocabSize: 2 ** 40 },
    { numLayers: 2 ** 31 },
    { numClasses: 2 ** 32 },
    { attention: { type: 'lsh', numHashes: 2 ** 32 } },
    { attention: { type: 'favor', numFeatures: 2 ** 40 } },
  ] as Partial<TransformerOptions>[])('%j is refused before anything is built', (form) => {
    expect(() => new Transformer(backend, { ...tiny, ...form })).toThrow(/^A model of these sizes has .* or more/);
  });
});
