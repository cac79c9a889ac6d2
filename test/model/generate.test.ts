import { describe, expect, it } from 'vitest';
import { savedStateToJson } from '../../src/attention/decoding/saved-state.ts';
import type { DecodingState } from '../../src/attention/types.ts';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { Random } from '../../src/base/random.ts';
import { Decoder, generate } from '../../src/model/generate.ts';
import { sampleToken } from '../../src/model/sampling.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { scope } from '../../src/tensor/scope.ts';
import { tensor } from '../../src/tensor/tensor.ts';

const backend = createReferenceBackend();
const tiny = { vocabSize: 11, dModel: 12, numLayers: 2, numHeads: 3, dFeedForward: 7, maxLength: 13 };
const ids = [1, 4, 10, 4, 7, 2, 0, 9, 9, 3, 5];

async function forwardLogits(model: Transformer): Promise<ArrayLike<number>[]> {
  const logits = scope(() => model.logits(model.forward(tensor(backend, Int32Array.from(ids), [1, ids.length]))));
  const data = await logits.data();
  return ids.map((_, i) => data.subarray(i * tiny.vocabSize, (i + 1) * tiny.vocabSize));
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, bound: number): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i++) expect(Math.abs(actual[i] - expected[i])).toBeLessThan(bound);
}

const attentions = [
  { type: 'exact' },
  { type: 'favor', numFeatures: 7 },
  { type: 'favor', numFeatures: 8, featureMap: 'trigonometric', projection: 'givens' },
  { type: 'favor', numFeatures: 7, featureMap: 'relu', projection: 'hadamard' },
] as const;

for (const attention of attentions) {
  for (const positions of ['learned', 'sinusoidal', 'rotary', 'none'] as const) {
    describe(`decoding with ${JSON.stringify(attention)} and ${positions} positions`, () => {
      const model = new Transformer(backend, { ...tiny, attention, positions }, 3);

      it('step by step, and prompt then steps, gives the logits of one forward pass', async () => {
        const expected = await forwardLogits(model);
        for (const prompt of [1, 2, 7, ids.length]) {
          const decoder = new Decoder(model);
          expectClose(await decoder.feed(ids.slice(0, prompt)), expected[prompt - 1], 1e-12);
          for (let i = prompt; i < ids.length; i++) expectClose(await decoder.feed([ids[i]]), expected[i], 1e-12);
          expect(decoder.position).toBe(ids.length);
          decoder.dispose();
        }
      });

      it('decodes two sequences together as each alone', async () => {
        const sequences = [ids, [...ids].reverse()];
        const lastLogits = async (states: DecodingState[], tokens: number[][]) => {
          const shape = [tokens.length, tokens[0].length];
          const logits = scope(() => model.extend(tensor(backend, Int32Array.from(tokens.flat()), shape), states));
          return Array.from(await logits.data());
        };
        const alone = sequences.map(() => model.createStates());
        for (const [i, states] of alone.entries()) await lastLogits(states, [sequences[i].slice(0, 4)]);
        const together = model.stackStates(alone);
        for (const [from, to] of [
          [4, 5],
          [5, 8],
        ]) {
          const expected: number[] = [];
          for (const [i, states] of alone.entries()) {
            expected.push(...(await lastLogits(states, [sequences[i].slice(from, to)])));
          }
          expectClose(
            await lastLogits(
              together,
              sequences.map((each) => each.slice(from, to)),
            ),
            expected,
            1e-12,
          );
        }
      });

      it('continues from a saved state', async () => {
        const decoder = new Decoder(model);
        await decoder.feed(ids.slice(0, 5));
        const saved = JSON.parse(JSON.stringify((await decoder.save()).map(savedStateToJson)));
        const resumed = new Decoder(model, saved);
        expect(resumed.position).toBe(5);
        // The saved state is float32, the reference float64.
        expectClose(await resumed.feed(ids.slice(5, 7)), await decoder.feed(ids.slice(5, 7)), 1e-6);
      });
    });
  }
}

describe('decoding with attention auto', () => {
  it('has the logits of exact attention up to the crossover, those of FAVOR+ over the whole from there on', async () => {
    // One layer: below the top layer, earlier positions keep what the attention of their time gave.
    const sizes = { ...tiny, numLayers: 1, positions: 'rotary', dModel: 12, numHeads: 3 } as const;
    const features = { numFeatures: 6 };
    const auto = new Transformer(backend, { ...sizes, attention: { type: 'auto', crossover: 7, ...features } }, 3);
    const linear = await forwardLogits(
      new Transformer(backend, { ...sizes, attention: { type: 'favor', ...features } }, 3),
    );
    const quadratic = await forwardLogits(new Transformer(backend, { ...sizes, attention: { type: 'exact' } }, 3));
    expect(Math.abs(linear[6][0] - quadratic[6][0])).toBeGreaterThan(1e-9);
    for (const prompt of [1, 4, 9]) {
      const decoder = new Decoder(auto);
      const logits = [await decoder.feed(ids.slice(0, prompt))];
      for (let i = prompt; i < ids.length; i++) logits.push(await decoder.feed([ids[i]]));
      logits.forEach((actual, i) => {
        const at = prompt - 1 + i;
        expectClose(actual, at + 1 < 7 ? quadratic[at] : linear[at], 1e-12);
      });
      decoder.dispose();
    }
  });
});

describe('Decoder', () => {
  it('refuses states of another model', async () => {
    const model = new Transformer(backend, { ...tiny, attention: { type: 'exact' } }, 3);
    const saved = await new Decoder(model).save();
    expect(() => new Decoder(model, saved.slice(1))).toThrow('The saved state has 1 layers, the model 2');
    const favor = new Transformer(backend, { ...tiny, attention: { type: 'favor', numFeatures: 7 } });
    expect(() => new Decoder(favor, saved)).toThrow('This state is one of exact attention');
  });

  it('keeps a state of constant size with FAVOR+', async () => {
    const model = new Transformer(backend, {
      ...tiny,
      attention: { type: 'favor', numFeatures: 7 },
      positions: 'rotary',
    });
    const decoder = new Decoder(model);
    await decoder.feed([1]);
    const after1 = backend.bytesAllocated;
    for (let i = 0; i < 30; i++) await decoder.feed([i % 11]);
    expect(backend.bytesAllocated).toBe(after1);
  });

  it('refuses what it cannot feed, and is then unchanged', async () => {
    const model = new Transformer(backend, { ...tiny, attention: { type: 'exact' } }, 3);
    const decoder = new Decoder(model);
    await decoder.feed([1, 2]);
    await expect(decoder.feed([])).rejects.toThrow('no tokens');
    await expect(decoder.feed([11])).rejects.toThrow('Token 11 at position 0 is outside the vocabulary of 11');
    for (const odd of [1.5, Number.NaN, null, true, '3']) {
      await expect(decoder.feed([1, odd as number])).rejects.toThrow(`Token ${odd} at position 1 is no whole number`);
    }
    await expect(decoder.feed(ids.concat(1))).rejects.toThrow(
      "reaches 14 tokens but this model's learned positions end at 13",
    );
    expect(decoder.position).toBe(2);
  });

  it('takes the ids of other libraries, which are bigints', async () => {
    const model = new Transformer(backend, { ...tiny, attention: { type: 'exact' } }, 3);
    const [plain, big] = [new Decoder(model), new Decoder(model)];
    const logits = await big.feed(BigInt64Array.of(1n, 2n) as unknown as number[]);
    expect(logits).toEqual(await plain.feed([1, 2]));
  });

  it('refuses a bidirectional model', () => {
    expect(() => new Decoder(new Transformer(backend, { ...tiny, causal: false }))).toThrow('bidirectional');
  });

  it('generates the same tokens from the same seed and stops at the stop token', async () => {
    const model = new Transformer(
      backend,
      { ...tiny, positions: 'rotary', attention: { type: 'favor', numFeatures: 7 } },
      3,
    );
    const run = async (options: object) => {
      const tokens: number[] = [];
      for await (const token of generate(model, [1, 2], { maxTokens: 40, ...options })) tokens.push(token);
      return tokens;
    };
    const first = await run({ seed: 5 });
    expect(first).toHaveLength(40);
    expect(await run({ seed: 5 })).toEqual(first);
    expect(await run({ seed: 6 })).not.toEqual(first);
    expect(await run({ seed: 5, stopToken: first[9] })).toEqual(first.slice(0, first.indexOf(first[9])));
    await expect(run({ temperature: -1 })).rejects.toThrow();
  });
});

describe('sampleToken', () => {
  const logits = [0.1, 0.4, 0.2, 0.3].map(Math.log);
  const frequencies = (options: { temperature?: number; topK?: number; topP?: number }) => {
    const random = new Random(1);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 40_000; i++)
      counts[sampleToken(logits, { temperature: 1, topK: 0, topP: 1, ...options }, random)]++;
    return counts.map((count) => count / 40_000);
  };
  // Standard deviation of a frequency ≤ 0.0025: a difference of 0.015 is 6 σ, probability below 1e-8.
  const cases: [object, number[]][] = [
    [{}, [0.1, 0.4, 0.2, 0.3]],
    [{ topK: 2 }, [0, 4 / 7, 0, 3 / 7]],
    [{ topP: 0.65 }, [0, 4 / 7, 0, 3 / 7]],
    [{ topP: 0.71 }, [0, 4 / 9, 2 / 9, 3 / 9]],
    // Those of the k likeliest that reach the share of what these k have together.
    [{ topK: 3, topP: 0.75 }, [0, 4 / 7, 0, 3 / 7]],
    [{ topK: 2, topP: 0.5 }, [0, 1, 0, 0]],
    [{ topK: 2, topP: 0.6 }, [0, 4 / 7, 0, 3 / 7]],
    [{ temperature: 0.5 }, [0.01, 0.16, 0.04, 0.09].map((x) => x / 0.3)],
    [{ temperature: 0 }, [0, 1, 0, 0]],
  ];
  for (const [options, expected] of cases) {
    it(`has the right distribution for ${JSON.stringify(options)}`, () => {
      frequencies(options).forEach((frequency, i) => {
        expect(Math.abs(frequency - expected[i])).toBeLessThan(0.015);
      });
    });
  }

  it('gives ties to the smaller id and never a token of probability zero', () => {
    const greedy = { temperature: 0, topK: 0, topP: 1 };
    expect(sampleToken([1, 3, 3], greedy, new Random(1))).toBe(1);
    expect(sampleToken([Number.NEGATIVE_INFINITY, 0], { ...greedy, temperature: 1 }, new Random(1))).toBe(1);
    expect(() => sampleToken([Number.NaN, 1], greedy, new Random(1))).toThrow('not finite');
  });
});
