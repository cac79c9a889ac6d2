import { brotliCompressSync, constants } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { empiricalBaseline, orderKModel, targetCounts } from '../../src/data/baselines.ts';
import { brotliBitsPerCharacter } from '../../src/data/brotli-baseline.ts';

describe('orderKModel', () => {
  test('order 0 worked by hand', () => {
    // "aab": n = 3, T = 2. p(a) = (2 + 2/256)/5, p(c) = (2/256)/5.
    const bits = -Math.log2((2 + 2 / 256) / 5) - Math.log2(2 / 256 / 5);
    expect(orderKModel('aab', 'ac', 0)).toBeCloseTo(bits / 2, 12);
  });

  test('order 2 worked by hand', () => {
    // "abab", then "a": the contexts are "", "b" (followed by a once) and "ab" (followed by a once).
    const empty = (byteCount: number) => (byteCount + 2 / 256) / (4 + 2);
    const afterB = (1 + empty(2)) / (1 + 1);
    const afterAb = (1 + afterB) / (1 + 1);
    expect(orderKModel('abab', 'a', 2)).toBeCloseTo(-Math.log2(afterAb), 12);
    // Then "a" again: "ba" was followed by b once; "a" by b twice, so T = 1.
    const afterA = (0 + empty(2)) / (2 + 1);
    const afterBa = (0 + afterA) / (1 + 1);
    expect(orderKModel('abab', 'aa', 2)).toBeCloseTo((-Math.log2(afterAb) - Math.log2(afterBa)) / 2, 12);
    // Then "a" once more: "aa" was never seen, so the context is "a".
    expect(orderKModel('abab', 'aaa', 2)).toBeCloseTo(
      (-Math.log2(afterAb) - Math.log2(afterBa) - Math.log2(afterA)) / 3,
      12,
    );
  });

  test('the probabilities of all bytes sum to one', () => {
    // Each ASCII byte as the held-out text; the rest of the mass is on the other 128 bytes, which were never seen.
    const train = 'abracadabra, abracadabra';
    const probability = (text: string) => 2 ** (-orderKModel(train, text, 3) * [...text].length);
    let sum = 0;
    for (let byte = 0; byte < 128; byte++) sum += probability(String.fromCharCode(byte));
    // 'z' was not seen either, and has the same probability as any such byte.
    sum += 128 * probability('z');
    expect(sum).toBeCloseTo(1, 12);
  });

  test('without training text every byte costs 8 bits, and characters count, not bytes', () => {
    expect(orderKModel('', 'abc')).toBeCloseTo(8, 12);
    expect(orderKModel('', '東é')).toBeCloseTo((8 * 5) / 2, 12);
    expect(orderKModel('', '😀')).toBeCloseTo(32, 12);
  });

  test('approaches the entropy of a source of order 1', () => {
    // From letter s to s + 1 with probability 1/4, else to 2s + 3, modulo 5; both are 4 for s = 3.
    const next = (s: number, isRare: boolean) => (isRare ? s + 1 : 2 * s + 3) % 5;
    let stationary = [0.2, 0.2, 0.2, 0.2, 0.2];
    for (let i = 0; i < 200; i++) {
      const after = [0, 0, 0, 0, 0];
      stationary.forEach((p, s) => {
        after[next(s, true)]! += p / 4;
        after[next(s, false)]! += (3 * p) / 4;
      });
      stationary = after;
    }
    const entropy = (1 - stationary[3]!) * (0.25 * Math.log2(4) + 0.75 * Math.log2(4 / 3));
    const random = new Random(3);
    let state = 0;
    const draw = (length: number) => {
      let text = '';
      for (let i = 0; i < length; i++) {
        state = next(state, random.uniform() < 0.25);
        text += 'abcde'[state];
      }
      return text;
    };
    const bits = orderKModel(draw(60_000), draw(40_000), 1);
    // Two standard deviations of the sample are 0.008; smoothing costs less than 0.002.
    expect(Math.abs(bits - entropy)).toBeLessThan(0.012);
  });

  test('refuses what cannot be', () => {
    expect(() => orderKModel('a', '')).toThrow('The held-out text is empty');
    expect(() => orderKModel('a', 'b', -1)).toThrow('order is -1');
  });
});

describe('empiricalBaseline', () => {
  const targets = (...ids: number[]) => ({ targets: Int32Array.from(ids) });

  test('worked by hand', async () => {
    const counts = await targetCounts([targets(2, 2, -1, 0), targets(2, 0, 1)], 5);
    expect([...counts]).toEqual([2, 1, 3, 0, 0]);
    // p = (3, 2, 4, 1, 1) / 11; the commonest is 2, which is one of the five targets.
    const result = await empiricalBaseline(counts, [targets(-1, 2, 0), targets(4, 0, -1, -1, 1)]);
    expect(result.accuracy).toBeCloseTo(1 / 5, 12);
    expect(result.perplexity).toBeCloseTo((11 ** 5 / (4 * 3 * 1 * 3 * 2)) ** (1 / 5), 10);
    expect(result.numPredicted).toBe(5);
  });

  test('on the training targets it is the entropy of their frequencies', async () => {
    async function* batches() {
      for (let i = 0; i < 100; i++) yield targets(...new Array<number>(170).fill(0), ...new Array<number>(30).fill(1));
    }
    const { accuracy, perplexity, numPredicted } = await empiricalBaseline(await targetCounts(batches(), 2), batches());
    expect([accuracy, numPredicted]).toEqual([0.85, 20_000]);
    expect(perplexity).toBeCloseTo(Math.exp(-0.85 * Math.log(0.85) - 0.15 * Math.log(0.15)), 7);
  });

  test('without training counts it is uniform, and predicts the smallest id', async () => {
    const { accuracy, perplexity } = await empiricalBaseline(new Float64Array(7), [targets(0, 3, 6, 0)]);
    expect(accuracy).toBe(0.5);
    expect(perplexity).toBeCloseTo(7, 12);
  });

  test('refuses targets outside the vocabulary and no targets', async () => {
    await expect(targetCounts([targets(3)], 3)).rejects.toThrow('Target 3 is outside the vocabulary of 3.');
    await expect(empiricalBaseline([1, 2], [targets(-1)])).rejects.toThrow('The batches have no target');
  });
});

describe('brotliBitsPerCharacter', () => {
  const random = new Random(4);
  const noise = (length: number) => Array.from({ length }, () => String.fromCharCode(97 + random.integer(16))).join('');

  test('is the difference of two sizes', async () => {
    const train = noise(3000);
    const heldOut = `${noise(500)}é東😀`;
    const size = (text: string) =>
      brotliCompressSync(text, {
        params: {
          [constants.BROTLI_PARAM_QUALITY]: 11,
          [constants.BROTLI_PARAM_LGWIN]: 24,
          [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
          [constants.BROTLI_PARAM_SIZE_HINT]: Buffer.byteLength(text),
        },
      }).length;
    const result = await brotliBitsPerCharacter(train, heldOut);
    expect(result.givenTrain).toBeCloseTo((8 * (size(train + heldOut) - size(train))) / 503, 12);
    expect(result.alone).toBeCloseTo((8 * size(heldOut)) / 503, 12);
  });

  test('costs about 4 bits for one of 16 letters, and nothing for what the training text holds', async () => {
    const heldOut = noise(4000);
    const fresh = await brotliBitsPerCharacter(noise(4000), heldOut);
    expect(fresh.givenTrain).toBeGreaterThan(3.9);
    expect(fresh.givenTrain).toBeLessThan(4.3);
    const repeated = await brotliBitsPerCharacter(heldOut + noise(5000), heldOut);
    expect(repeated.givenTrain).toBeLessThan(0.1);
  });

  test('refuses an empty held-out text', async () => {
    await expect(brotliBitsPerCharacter('a', '')).rejects.toThrow('The held-out text is empty');
  });
});
