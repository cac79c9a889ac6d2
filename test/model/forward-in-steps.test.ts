import { afterAll, describe, expect, it } from 'vitest';
import { drawFeatures, drawFeaturesInSteps } from '../../src/attention/favor.ts';
import { Pauses } from '../../src/base/event-loop.ts';
import { createBackend } from '../../src/entries/performers.ts';
import type { TransformerOptions } from '../../src/model/configuration.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { scope } from '../../src/tensor/scope.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { countTurns } from '../support/slow-clock.ts';

const backend = await createBackend({ numThreads: 1 });
afterAll(() => backend.close());

const tiny: TransformerOptions = {
  vocabSize: 13,
  dModel: 8,
  numLayers: 3,
  numHeads: 2,
  dFeedForward: 17,
  maxLength: 16,
};
const forms: Readonly<Record<string, Partial<TransformerOptions>>> = {
  'pre-norm': {},
  'post-norm, rotary': { norm: 'post', positions: 'rotary' },
  reversible: { reversible: true, attention: { type: 'lsh', chunkLength: 2 } },
};
const options = {
  keyMask: [
    [1, 1, 0, 1, 1],
    [1, 1, 1, 1, 1],
  ],
};

describe.each(Object.entries(forms))('a forward pass in steps, %s', (_, form) => {
  const model = new Transformer(backend, { ...tiny, ...form }, 1);
  const ids = tensor(
    backend,
    Int32Array.from({ length: 10 }, (__, i) => (i * 5) % 13),
    [2, 5],
  );

  /** The memory once the kernels have their workspace. */
  const settled = async () => {
    for (const out of [
      await model.forwardInSteps(ids, options, new Pauses()),
      scope(() => model.forward(ids, options)),
    ])
      out.dispose();
    backend.trim();
    return backend.bytesAllocated;
  };

  it('gives what the whole gives, to the bit, with a turn of the event loop for each layer', async () => {
    const before = await settled();
    const [out, turns] = await countTurns(() => model.forwardInSteps(ids, options, new Pauses()));
    const whole = scope(() => model.forward(ids, options));
    expect([await out.data()]).toEqual([await whole.data()]);
    expect(turns).toBeGreaterThanOrEqual(3);
    const heads = await model.attentionInputsInSteps(ids, options, new Pauses());
    const wholeHeads = model.attentionInputs(ids, options);
    const numbers = (layers: typeof heads) =>
      Promise.all(layers.flatMap(({ queries, keys, values }) => [queries, keys, values].map((part) => part.data())));
    expect(await numbers(heads)).toEqual(await numbers(wholeHeads));
    for (const each of [...heads, ...wholeHeads])
      for (const part of [each.queries, each.keys, each.values]) part.dispose();
    for (const each of [out, whole]) each.dispose();
    backend.trim();
    expect(backend.bytesAllocated).toBe(before);
  });

  it('stops at its signal and leaves no memory', async () => {
    const before = await settled();
    const stop = new AbortController();
    const reason = new Error('enough');
    const observe = () => stop.abort(reason);
    await expect(model.forwardInSteps(ids, { observe }, new Pauses(stop.signal))).rejects.toBe(reason);
    await expect(model.attentionInputsInSteps(ids, {}, new Pauses(stop.signal))).rejects.toBe(reason);
    backend.trim();
    expect(backend.bytesAllocated).toBe(before);
  });
});

it.each(['orthogonal', 'simplex', 'gaussian', 'hadamard'] as const)(
  '%s features drawn in steps are the same',
  async (projection) => {
    for (const numFeatures of [3, 8, 21]) {
      const asked = { numFeatures, projection, seed: 3 };
      const whole = drawFeatures(backend, 8, asked);
      const [drawn, turns] = await countTurns(() => drawFeaturesInSteps(backend, 8, asked, new Pauses()));
      expect(await drawn.projection.data()).toEqual(await whole.projection.data());
      if (projection === 'orthogonal') expect(turns).toBeGreaterThanOrEqual(numFeatures > 8 ? 3 : 0);
      for (const each of [whole, drawn]) each.projection.dispose();
    }
  },
);
