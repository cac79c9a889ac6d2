import { afterAll, describe, expect, it } from 'vitest';
import { createAttention } from '../../../src/attention/attention.ts';
import { type AttentionOptions, attentionSchema } from '../../../src/attention/configuration.ts';
import type { AttendOptions } from '../../../src/attention/types.ts';
import { nodeHost } from '../../../src/backend/native/node-host.ts';
import { createReferenceBackend } from '../../../src/backend/reference/backend.ts';
import { createBackendOn } from '../../../src/backend/select.ts';
import type { Backend } from '../../../src/backend/types.ts';
import { atOnce } from '../../../src/base/event-loop.ts';
import { Random } from '../../../src/base/random.ts';
import { Block } from '../../../src/model/layers/block.ts';
import { ReversibleStack } from '../../../src/model/layers/block-stack.ts';
import { Dropout } from '../../../src/model/layers/dropout.ts';
import { FeedForward } from '../../../src/model/layers/feed-forward.ts';
import { gather } from '../../../src/model/layers/layer.ts';
import { LayerNorm } from '../../../src/model/layers/layer-norm.ts';
import { MultiHeadAttention } from '../../../src/model/layers/multi-head-attention.ts';
import { dropout } from '../../../src/tensor/ops/dropout.ts';
import { activation, add, multiply, scale } from '../../../src/tensor/ops/elementwise.ts';
import { linear } from '../../../src/tensor/ops/linear.ts';
import { scope } from '../../../src/tensor/scope.ts';
import { valueAndGradients } from '../../../src/tensor/tape.ts';
import type { Tensor } from '../../../src/tensor/tensor.ts';
import { compiledBackends } from '../../backend/available.ts';
import { randomTensor } from '../../support/gradients.ts';

const [batch, length, dModel, numHeads, dFeedForward] = [2, 11, 6, 3, 13];
const rate = 0.3;
const seed = [5, 8] as const;

function createBlocks(backend: Backend, options: AttentionOptions, numLayers: number, chunks: number): Block[] {
  const random = new Random(3);
  const initial = { random, deviation: 0.4 };
  const blocks = Array.from({ length: numLayers }, () => {
    const sizes = { numHeads, dHead: dModel / numHeads, maxLength: length };
    const attention = createAttention(backend, attentionSchema.parse(options), sizes, random);
    return new Block({
      attentionNorm: new LayerNorm(backend, dModel),
      attention: new MultiHeadAttention(backend, { dModel, numHeads, rotary: true }, attention, initial),
      feedForwardNorm: new LayerNorm(backend, dModel),
      feedForward: new FeedForward(
        backend,
        { dModel, dFeedForward, activation: 'gelu', feedForwardChunks: chunks },
        initial,
      ),
    });
  });
  for (const { storage, size } of gather(Object.fromEntries(blocks.entries())).values()) {
    const start = Float64Array.from({ length: size }, () => 0.4 * random.normal());
    backend.write(storage, backend.name === 'reference' ? start : Float32Array.from(start));
  }
  return blocks;
}

/** The same function by ops that keep everything, with the masks of dropout numbered in the order of the layers. */
function plain(blocks: readonly Block[], x: Tensor, options: AttendOptions): Tensor {
  let [x1, x2] = [x, x];
  for (const [i, { layers }] of blocks.entries()) {
    const attended = layers.attention.forward(layers.attentionNorm.forward(x2), options);
    const y1 = add(x1, dropout(attended, { rate, seed, stream: 2 * i }));
    const [w1, b1, w2, b2] = ['expand.weight', 'expand.bias', 'contract.weight', 'contract.bias'].map(
      (name) => layers.feedForward.parameters().get(name)!,
    );
    const fed = linear(activation(linear(layers.feedForwardNorm.forward(y1), w1, b1), 'gelu'), w2, b2);
    const y2 = add(x2, dropout(fed, { rate, seed, stream: 2 * i + 1 }));
    [x1, x2] = [y1, y2];
  }
  return scale(add(x1, x2), 1 / 2);
}

/** Largest difference over the largest value. */
async function difference(actual: Tensor, expected: Tensor): Promise<number> {
  const [a, b] = (await Promise.all([actual.data(), expected.data()])).map((values) => Array.from(values));
  const largest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(largest).toBeGreaterThan(1e-6);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0) / largest;
}

const backends: { backend: Backend; bound: number }[] = [{ backend: createReferenceBackend(), bound: 1e-11 }];
for (const name of compiledBackends) {
  backends.push({ backend: await createBackendOn(nodeHost, { backend: name, numThreads: 2 }), bound: 1e-4 });
}
afterAll(() => {
  for (const { backend } of backends) backend.close();
});

const attentions: Record<string, AttentionOptions> = {
  favor: { type: 'favor', numFeatures: 7 },
  relu: { type: 'favor', numFeatures: 7, featureMap: { type: 'generalised', activation: 'relu' } },
  exact: { type: 'exact' },
  lsh: { type: 'lsh', numHashes: 2, chunkLength: 3, maxBuckets: 4 },
  linformer: { type: 'linformer', projectedLength: 5 },
};
const segments = [Int32Array.of(0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2), Int32Array.of(0, 0, 0, 0, 0, 0, 0, 3, 3, -1, -1)];
const keyMask = [Int32Array.of(1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1), Int32Array.of(1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1)];

describe.each(backends)('reversible layers on $backend.description', ({ backend, bound }) => {
  for (const [name, attention] of Object.entries(attentions)) {
    for (const [options, numLayers, chunks] of [
      [{ causal: true }, 3, 1],
      [{ causal: true, segments }, 2, 5],
      [{ causal: false, keyMask }, 12, 4],
    ] as const) {
      // Linformer mixes all positions of a row.
      if (name === 'linformer' && options.causal) continue;
      const what = Object.keys(options).at(-1);
      it(`${name}, ${numLayers} layers, ${chunks} chunks, ${what}: values and gradients of kept activations`, async () => {
        const blocks = createBlocks(backend, attention, numLayers, chunks);
        const named = gather(Object.fromEntries(blocks.entries()));
        const x = randomTensor(backend, [batch, length, dModel], 1);
        const weights = randomTensor(backend, [batch, length, dModel], 2);
        const given = new Map([['x', x], ...named]);
        const stack = new ReversibleStack(blocks);
        const both = [
          () => atOnce(stack.forward(x, options, new Dropout(rate, seed))),
          () => plain(blocks, x, options),
        ].map((run) => valueAndGradients(() => multiply(run(), weights), [...given.values()]));
        const [actual, expected] = both;
        expect(await difference(actual.value, expected.value)).toBeLessThan(bound / 10);
        for (const [i, parameter] of [...given.keys()].entries()) {
          // Key biases have no gradient under exact softmax: they shift all of a query's scores alike.
          if (parameter.endsWith('key.bias') && name === 'exact') continue;
          const error = await difference(actual.gradients[i], expected.gradients[i]);
          expect(error, parameter).toBeLessThan(bound);
        }
        // Without a tape the same, in pieces too.
        const value = scope(() => multiply(atOnce(stack.forward(x, options, new Dropout(rate, seed))), weights));
        expect(await difference(value, actual.value)).toBeLessThan(bound / 10);
        for (const { value, gradients } of both) for (const tensor of [value, ...gradients]) tensor.dispose();
        for (const tensor of [value, weights, ...given.values()]) tensor.dispose();
        for (const { layers } of blocks) layers.attention.attention.dispose();
      });
    }
  }
});
