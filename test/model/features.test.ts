import { describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import type { TransformerOptions } from '../../src/model/configuration.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { decodeSafetensors, encodeSafetensors } from '../../src/storage/safetensors.ts';
import { loadWeights, readWeights } from '../../src/storage/weights.ts';
import { scope } from '../../src/tensor/scope.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { Trainer } from '../../src/training/trainer.ts';
import { countingData, tinyConfiguration, tinyModel } from '../training/support.ts';

const backend = createReferenceBackend();
const tiny = { vocabSize: 11, dModel: 12, numLayers: 2, numHeads: 3, dFeedForward: 7, maxLength: 13 };
const ids = Int32Array.of(1, 4, 10, 4, 7, 2);

const attentions: Exclude<TransformerOptions['attention'], string | undefined>[] = [
  { type: 'favor', numFeatures: 8 },
  { type: 'favor', numFeatures: 8, featureMap: 'hyperbolic', projection: 'simplex' },
  { type: 'favor', numFeatures: 8, featureMap: 'trigonometric' },
  { type: 'favor', numFeatures: 8, featureMap: { type: 'favor++', p: 1.3 }, projection: 'gaussian' },
  { type: 'favor', numFeatures: 10, featureMap: { type: 'favor++', p: 1.3 }, projection: 'hadamard' },
  { type: 'favor', numFeatures: 10, featureMap: 'smreg', projection: 'givens' },
  { type: 'favor', featureMap: 'relu' },
  { type: 'auto', crossover: 3, numFeatures: 8, featureMap: 'trigonometric' },
  { type: 'lsh', numHashes: 2, chunkLength: 2, maxBuckets: 6 },
];

const logitsOf = async (model: Transformer) =>
  Array.from(await scope(() => model.logits(model.forward(tensor(backend, ids, [1, ids.length])))).data());

const buffersOf = async (model: Transformer) => {
  const entries = [...model.buffers()].map(async ([name, buffer]) => [name, Array.from(await buffer.data())] as const);
  return Object.fromEntries(await Promise.all(entries));
};

it.each(['exact', 'favor', 'auto', 'lsh'] as const)('attention %j alone means its defaults', (type) => {
  const model = new Transformer(backend, { ...tiny, attention: type }, 1);
  const written = new Transformer(backend, { ...tiny, attention: { type } }, 1);
  expect(model.configuration).toEqual(written.configuration);
  expect(model.configuration.attention.type).toBe(type);
  expect(() => new Transformer(backend, { ...tiny, attention: 'softmax' as 'exact' }, 1)).toThrow(/attention/);
});

describe.each(attentions)('features of a model, %j', (attention) => {
  const make = (seed: number) => new Transformer(backend, { ...tiny, attention }, seed);

  it('go through a checkpoint: the loaded model gives the same logits, to the last bit', async () => {
    const [model, other] = [make(1), make(2)];
    const expected = await logitsOf(model);
    expect(await logitsOf(other)).not.toEqual(expected);
    const file = encodeSafetensors(await readWeights(model));
    loadWeights(other, decodeSafetensors(file, 'model').tensors, 'model');
    expect(await logitsOf(other)).toEqual(expected);
    expect(await buffersOf(other)).toEqual(await buffersOf(model));
  });

  it('are redrawn as a function of seed and redraw alone', async () => {
    const [model, other] = [make(1), make(2)];
    const initial = await buffersOf(model);
    model.redraw(1, 1);
    const redrawn = await buffersOf(model);
    other.redraw(1, 1);
    expect(await buffersOf(other)).toEqual(redrawn);
    const isRandom = 'featureMap' in attention && attention.featureMap !== 'relu';
    if (isRandom) expect(redrawn).not.toEqual(initial);
    const { 'blocks.0.attention.projection': first, 'blocks.1.attention.projection': second } = redrawn;
    if (isRandom) expect(first).not.toEqual(second);
    model.redraw(1, 0);
    expect(await buffersOf(model)).toEqual(initial);
  });
});

it('FAVOR++ redraws its biases with the directions that they belong to', async () => {
  const attention = { type: 'favor', numFeatures: 8, featureMap: { type: 'favor++', p: 1.3 }, projection: 'gaussian' };
  const model = new Transformer(backend, { ...tiny, attention } as TransformerOptions, 1);
  model.redraw(1, 1);
  const buffers = await buffersOf(model);
  const projection: number[] = buffers['blocks.0.attention.projection'];
  const bias: number[] = buffers['blocks.0.attention.bias'];
  // Rows are ω√(1 − 4A), biases A‖ω‖².
  const ratios = bias.map((b, r) => b / projection.slice(4 * r, 4 * r + 4).reduce((sum, x) => sum + x * x, 0));
  for (const ratio of ratios) expect(Math.abs(ratio / ratios[0] - 1)).toBeLessThan(1e-12);
  expect(new Set(bias).size).toBe(8);
});

it('training redraws the features of attention auto at its interval', async () => {
  const attention = { type: 'auto', crossover: 4, numFeatures: 6, redrawInterval: 2 } as const;
  const model = tinyModel(backend, 3, { attention });
  const trainer = new Trainer({ model, data: countingData(), configuration: tinyConfiguration() });
  const drawn = [await buffersOf(model)];
  for (let i = 0; i < 3; i++) {
    await trainer.step();
    drawn.push(await buffersOf(model));
  }
  expect(drawn[1]).toEqual(drawn[0]);
  expect(drawn[2]).toEqual(drawn[0]);
  expect(drawn[3]).not.toEqual(drawn[0]);
  trainer.dispose();
});
