import { afterAll, describe, expect, it } from 'vitest';
import { createBackend, type TransformerOptions } from '../../src/entries/performers.ts';
import {
  base,
  drawModel,
  graphFile,
  graphResults,
  largestError,
  ownResults,
  type Results,
  type TokenBatch,
  tokenBatch,
} from './models.ts';
import { loadRuntimes, openSession } from './runtimes.ts';

// float64: what float32 graphs are held against where attention is far from uniform.
const backend = await createBackend({ backend: 'reference' });
afterAll(() => backend.close());

const favor = { type: 'favor', numFeatures: 22 } as const;
const models: Record<string, TransformerOptions> = {
  bidirectional: { ...base, causal: false },
  causal: base,
  'causal, hyperbolic': { ...base, attention: { ...favor, featureMap: 'hyperbolic' } },
  'causal, exact': { ...base, attention: 'exact' },
};

interface Case {
  readonly scale: number;
  readonly bytes: Uint8Array;
  readonly batches: readonly { readonly given: TokenBatch; readonly wanted: Results }[];
}

/** Made once for both runtimes: float64 takes its time. */
const cases = new Map<string, Promise<Case[]>>();

async function makeCases(options: TransformerOptions): Promise<Case[]> {
  const made: Case[] = [];
  for (const scale of [10, 30]) {
    const model = await drawModel(backend, { ...options, numLayers: 1 }, scale);
    const batches = [];
    for (const left of [false, true]) {
      const given = tokenBatch(2, 71, left);
      batches.push({ given, wanted: await ownResults(model, given) });
    }
    made.push({ scale, bytes: (await graphFile(model, 'sequence')).bytes, batches });
    model.dispose();
  }
  return made;
}

describe.each(await loadRuntimes())('long queries and keys in %s', (name, runtime) => {
  it.each(Object.entries(models))('%s', async (label, options) => {
    const made = cases.get(label) ?? makeCases(options);
    cases.set(label, made);
    for (const { scale, bytes, batches } of await made) {
      const session = await openSession(runtime, name, bytes);
      for (const { given, wanted } of batches) {
        const error = largestError(await graphResults(session, given), wanted);
        // Logarithms of features grow with the square of the scale, and so does what float32 rounds off them.
        expect(error, `scale ${scale}`).toBeLessThan(scale * 2e-6);
      }
      await session.release();
    }
  });
});

describe.each(await loadRuntimes())('later keys in %s', (name, runtime) => {
  it('change no earlier output, however long they are', async () => {
    const model = await drawModel(backend, { ...base, numLayers: 1, positions: 'none' }, 10);
    const session = await openSession(runtime, name, (await graphFile(model, 'sequence')).bytes);
    const given = tokenBatch(1, 61);
    const changed = { ...given, ids: given.ids.map((id, i) => (i < 40 ? id : (id + 5) % base.vocabSize)) };
    const [before, after] = [await graphResults(session, given), await graphResults(session, changed)];
    const first = (values: ArrayLike<number>) => Array.from(values).slice(0, 40 * base.dModel);
    const error = largestError({ x: first(after.last_hidden_state) }, { x: first(before.last_hidden_state) });
    expect(error).toBeLessThan(2e-5);
    expect(largestError(after, before)).toBeGreaterThan(0.1);
    await session.release();
    model.dispose();
  });
});
