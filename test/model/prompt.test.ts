/** A long prompt is fed in pieces, so that the event loop turns; nobody may be able to tell from the numbers. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Backend, createBackend } from '../../src/entries/performers.ts';
import { Decoder } from '../../src/model/generate.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { scope } from '../../src/tensor/scope.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { turnsDuring } from '../support/slow-clock.ts';

const sizes = { vocabSize: 50, dModel: 48, numLayers: 2, numHeads: 3, dFeedForward: 70, maxLength: 700 };
const idsOf = (length: number) => Int32Array.from({ length }, (_, i) => (i * 7919 + ((i * i) % 13)) % sizes.vocabSize);

let time = 0;

/** Every look at the clock finds it so many milliseconds later; it never goes back. */
function clockOf(step: number): void {
  time = Math.max(time, performance.now()) + 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => {
    time += step;
    return time;
  });
}

afterEach(() => {
  vi.restoreAllMocks();
});

async function atOnce(model: Transformer, ids: Int32Array, next: number): Promise<ArrayLike<number>[]> {
  const states = model.createStates();
  const extend = async (given: Int32Array) => {
    const logits = scope(() => model.extend(tensor(model.backend, given, [1, given.length]), states));
    return logits.data().finally(() => logits.dispose());
  };
  const results = [await extend(ids), await extend(Int32Array.of(next))];
  for (const state of states) state.dispose();
  return results;
}

async function inPieces(model: Transformer, ids: Int32Array, next: number): Promise<ArrayLike<number>[]> {
  const decoder = new Decoder(model);
  const results = [await decoder.feed(ids), await decoder.feed([next])];
  expect(decoder.position).toBe(ids.length + 1);
  decoder.dispose();
  return results;
}

const differences = (actual: ArrayLike<number>[], expected: ArrayLike<number>[]) =>
  actual.map((row, i) => Math.max(...Array.from(row, (x, j) => Math.abs(x - expected[i][j]))));

const attentions = [
  { type: 'favor', numFeatures: 40 },
  { type: 'favor', numFeatures: 32, featureMap: 'relu', projection: 'hadamard' },
  { type: 'favor', numFeatures: 32, featureMap: 'trigonometric' },
  { type: 'favor', numFeatures: 32, featureMap: 'hyperbolic', projection: 'givens' },
  { type: 'exact' },
  { type: 'auto', crossover: 130, numFeatures: 32 },
  { type: 'auto', crossover: 5000, numFeatures: 32 },
  { type: 'lsh', chunkLength: 8 },
] as const;

for (const name of ['native', 'wasm', 'reference'] as const) {
  // For each backend, the lengths about its pieces.
  const lengths = name === 'reference' ? [66, 130] : [65, 66, 129, 130, 131, 193, 321, 642];
  describe(`a prompt in pieces on ${name}`, () => {
    let backend: Backend | undefined;
    for (const attention of attentions) {
      for (const [positions, reversible] of [
        ['learned', false],
        ['rotary', true],
      ] as const) {
        const what = `${JSON.stringify(attention)}, ${positions} positions${reversible ? ', reversible' : ''}`;
        it(`gives the logits of the whole at once: ${what}`, async () => {
          backend ??= await createBackend({ backend: name, numThreads: 1 });
          const model = new Transformer(backend, { ...sizes, positions, reversible, attention }, 3);
          for (const length of lengths) {
            const whole = await atOnce(model, idsOf(length), 7);
            // Slow, so that the pieces are as short as can be; then fast, so that they grow.
            for (const step of name === 'reference' ? [100] : [100, 0.01]) {
              clockOf(step);
              const pieces = await inPieces(model, idsOf(length), 7);
              vi.restoreAllMocks();
              for (const difference of differences(pieces, whole)) {
                if (name === 'reference') expect(difference, `of ${length} tokens`).toBeLessThan(1e-14);
                else expect(difference, `of ${length} tokens`).toBe(0);
              }
            }
          }
          model.dispose();
        });
      }
    }
  });
}

describe('a prompt that is stopped', () => {
  it('leaves the decoder as it was, and the signal’s reason is thrown', async () => {
    const backend = await createBackend({ backend: 'native', numThreads: 1 });
    for (const attention of attentions.slice(0, 5)) {
      const model = new Transformer(backend, { ...sizes, attention }, 3);
      const decoder = new Decoder(model);
      await decoder.feed(idsOf(70));
      clockOf(100);
      const stop = new AbortController();
      const advance = vi.spyOn(model, 'advanceInPieces');
      const long = decoder.feed(idsOf(600), { signal: stop.signal });
      // Calls are in order: this one is fed after the long prompt is given up.
      const next = decoder.feed([7]);
      while (advance.mock.calls.length < 2) await new Promise((resolve) => setImmediate(resolve));
      stop.abort(new Error('enough'));
      await expect(long).rejects.toThrow('enough');
      expect(advance.mock.calls.length).toBeLessThan(5);
      vi.restoreAllMocks();
      const [, wanted] = await atOnce(model, idsOf(70), 7);
      expect(differences([await next], [wanted])).toEqual([0]);
      expect(decoder.position).toBe(71);
      decoder.dispose();
      model.dispose();
    }
    backend.close();
  });

  it('lets the event loop turn between any two pieces of slow work', async () => {
    const backend = await createBackend({ backend: 'native', numThreads: 1 });
    const model = new Transformer(backend, { ...sizes, attention: attentions[0] }, 3);
    const decoder = new Decoder(model);
    clockOf(100);
    // Ten pieces of 64, the last of which is 65 long.
    expect(await turnsDuring(decoder.feed(idsOf(641)))).toBeGreaterThanOrEqual(9);
    decoder.dispose();
    backend.close();
  });
});
