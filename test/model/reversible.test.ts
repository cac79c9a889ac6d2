import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AttentionOptions } from '../../src/attention/configuration.ts';
import { nodeHost } from '../../src/backend/native/node-host.ts';
import { createBackendOn } from '../../src/backend/select.ts';
import type { TransformerOptions } from '../../src/model/configuration.ts';
import { Dropout } from '../../src/model/layers/dropout.ts';
import { languageModelLoss } from '../../src/model/losses.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { scope } from '../../src/tensor/scope.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { compiledBackends } from '../backend/available.ts';
import { expectGradients } from '../support/gradients.ts';
import { backend, drawParameters } from '../support/tiny-transformer.ts';
import { lossesOf, resumedFrom, tinyModel, tinyRun } from '../training/support.ts';

const tiny = { vocabSize: 11, dModel: 6, numLayers: 2, numHeads: 3, dFeedForward: 7, maxLength: 13 };
const ids = () => tensor(backend, Int32Array.of(1, 4, 10, 4, 7, 2, 0, 9, 9, 3), [2, 5]);

function enlarged(options: Partial<TransformerOptions>): Transformer {
  return drawParameters(new Transformer(backend, { ...tiny, ...options }, 3));
}

describe('a reversible Transformer', () => {
  for (const [name, attention, causal] of [
    ['exact', { type: 'exact' }, true],
    ['favor', { type: 'favor', numFeatures: 5 }, true],
    ['lsh', { type: 'lsh', numHashes: 2, chunkLength: 2, maxBuckets: 2 }, false],
  ] as [string, AttentionOptions, boolean][]) {
    it(`${name}: gradients against central differences, with dropout and packed sequences`, async () => {
      const model = enlarged({ attention, causal, reversible: true, feedForwardChunks: 3 });
      const targets = tensor(backend, Int32Array.of(4, 10, 4, -1, 2, 0, 9, 9, 3, 5), [2, 5]);
      const segments = [Int32Array.of(0, 0, 0, 1, 1), Int32Array.of(0, 0, 0, 0, 0)];
      const loss = () =>
        languageModelLoss(model, ids(), targets, { weight: 1 / 9, segments, dropout: new Dropout(0.3, [5, 0]) }).loss;
      // Key biases have no gradient under exact softmax: they shift all of a query's scores alike.
      const parameters = [...model.parameters()].filter(([name]) => !name.endsWith('key.bias'));
      // A step of LSH attention must not lead into another bucket.
      const step = name === 'lsh' ? 1e-5 : 1e-3;
      await expectGradients(loss, Object.fromEntries(parameters), {
        samples: 3,
        bound: name === 'lsh' ? 1e-5 : 1e-6,
        step,
      });
      model.dispose();
    });
  }

  it('is another function than the plain one of the same parameters, whose names are the same', async () => {
    const [plain, reversible] = [false, true].map((value) => enlarged({ reversible: value }));
    expect([...reversible.parameters().keys()]).toEqual([...plain.parameters().keys()]);
    const [a, b] = await Promise.all([plain, reversible].map((model) => model.forward(ids()).data()));
    expect(a.some((value, i) => Math.abs(value - b[i]) > 0.1)).toBe(true);
  });

  it.each(['exact', 'favor', 'lsh'] as const)('%s: decoding gives the logits of one forward pass', async (type) => {
    const model = enlarged({ attention: { type }, reversible: true, feedForwardChunks: 2, positions: 'rotary' });
    const [batch, length] = [2, 5];
    const tokens = Array.from(await ids().data());
    const expected = await model.logits(scope(() => model.forward(ids()))).data();
    const states = model.createStates(batch);
    // A prompt of two tokens, then one after another.
    for (const [start, end] of [
      [0, 2],
      [2, 3],
      [3, 4],
      [4, 5],
    ]) {
      const piece = Int32Array.from([0, 1].flatMap((row) => tokens.slice(row * length + start, row * length + end)));
      const given = tensor(backend, piece, [batch, end - start]);
      const logits = model.extend(given, states);
      const actual = await logits.data();
      for (const row of [0, 1]) {
        for (let token = 0; token < tiny.vocabSize; token++) {
          const wanted = expected[(row * length + end - 1) * tiny.vocabSize + token];
          expect(Math.abs(actual[row * tiny.vocabSize + token] - wanted)).toBeLessThan(1e-9);
        }
      }
      given.dispose();
      logits.dispose();
    }
    for (const state of states) state.dispose();
    model.dispose();
  });

  it('shows what its attentions are given, and leaves nothing else behind', async () => {
    const model = enlarged({ reversible: true, positions: 'none' });
    const named = model.parameters();
    const before = backend.bytesAllocated;
    const given = ids();
    const inputs = model.attentionInputs(given);
    expect(inputs).toHaveLength(2);
    // The first block: the projections of the normed embedding, which both streams start as.
    const values = Array.from(await inputs[0].values.data());
    const [table, weight, bias, gain, shift] = await Promise.all(
      [
        'tokens.weight',
        'blocks.0.attention.value.weight',
        'blocks.0.attention.value.bias',
        'blocks.0.attentionNorm.weight',
        'blocks.0.attentionNorm.bias',
      ].map((name) => named.get(name)!.data()),
    );
    const row = Array.from(table.slice(4 * 6, 5 * 6));
    const mean = row.reduce((sum, value) => sum + value, 0) / 6;
    const deviation = Math.sqrt(row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 6 + 1e-5);
    const normed = row.map((value, i) => ((value - mean) / deviation) * gain[i] + shift[i]);
    for (let i = 0; i < 6; i++) {
      const wanted = normed.reduce((sum, value, j) => sum + value * weight[i * 6 + j], bias[i]);
      // [batch, heads, length, dHead]: token 4 is at position 1.
      expect(values[Math.floor(i / 2) * 10 + 2 + (i % 2)]).toBeCloseTo(wanted, 12);
    }
    for (const tensors of inputs) for (const each of [tensors.queries, tensors.keys, tensors.values]) each.dispose();
    given.dispose();
    expect(backend.bytesAllocated).toBe(before);
    scope(() => void model.attentionInputs(ids()));
    expect(backend.bytesAllocated).toBe(before);
    // The mask does not fit: what the first layer showed is freed as well.
    scope(() => {
      expect(() => model.attentionInputs(ids(), { keyMask: [[1, 1, 1]] })).toThrow();
    });
    expect(backend.bytesAllocated).toBe(before);
  });

  it.each(compiledBackends)(
    'resumes to the last bit on %s, redraws included, as the model that it is',
    async (name) => {
      const parent = mkdtempSync(join(tmpdir(), 'performers-reversible-'));
      const device = await createBackendOn(nodeHost, { backend: name, numThreads: 2 });
      const run = (out: string) => ({
        ...tinyRun(device, join(parent, out)),
        model: tinyModel(device, 3, { reversible: true, feedForwardChunks: 2, numLayers: 3 }),
      });
      const whole = await lossesOf(run('whole'), 12);
      expect(whole.at(-1)).toBeLessThan(whole[0]);
      await lossesOf(run('broken'), 8);
      const resumed = await resumedFrom(device, join(parent, 'broken'), run('broken'));
      expect(resumed.model.configuration).toMatchObject({ reversible: true, feedForwardChunks: 2 });
      expect(resumed.resume.checkpoint.training.step).toBe(6);
      const rest = await lossesOf(resumed, 12);
      expect(rest).toEqual(whole.slice(6));
      device.close();
      rmSync(parent, { recursive: true, force: true });
    },
  );
});
