import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BYTE_ORDER } from '../../src/tokenizers/byte-level/byte-level.ts';
import { loadTokenizer } from '../../src/tokenizers/load-own-tokenizer.ts';
import { segments } from '../../src/tokenizers/text-segments.ts';
import { frequentSubstrings } from '../../src/tokenizers/training/frequent-substrings.ts';
import { BYTE_PRIOR, chooseSeeds, maximise, seedScores, trainUnigram } from '../../src/tokenizers/training/unigram.ts';
import { WordLattices } from '../../src/tokenizers/training/word-lattices.ts';
import { WordList } from '../../src/tokenizers/training/word-list.ts';
import { UnigramTokenizer } from '../../src/tokenizers/unigram.ts';
import { mixedLines } from '../data/text-mixture.ts';
import { describeTokenizer } from './conformance.ts';
import { edited } from './edited.ts';

const lines = [...mixedLines(500, 1)];
const options = { vocabSize: 600, endOfText: true, mask: true };
const trained = await trainUnigram(lines, options);

/** All substrings are tokens, at random scores with many ties. */
function manyTies(): UnigramTokenizer {
  const bytes = Array.from(BYTE_ORDER, (byte) => Uint8Array.of(byte));
  const words = [
    'aa',
    'aaa',
    'aaaa',
    'ab',
    'ba',
    'aba',
    ' a',
    ' the',
    'th',
    'he',
    ' t',
    'x'.repeat(7),
    'xx',
    '東',
    '京',
    '東京',
  ];
  const tokens = [...bytes, ...words.map((word) => new TextEncoder().encode(word))];
  return new UnigramTokenizer({ tokens: tokens.map((token, i) => ({ bytes: token, score: -1 - (i % 3) })), added: [] });
}

describeTokenizer('unigram', trained);
describeTokenizer('unigram without special tokens', await trainUnigram(lines, { vocabSize: 400 }));
describeTokenizer('unigram with many ties', manyTies());

/** Short words over few characters, one of two bytes and one of four, with their counts. */
const wordCounts = fc
  .array(
    fc.tuple(
      fc.string({ unit: fc.constantFrom('a', 'b', '!', 'é', '😀'), minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 5 }),
    ),
    {
      minLength: 1,
      maxLength: 8,
    },
  )
  .map((entries) => new Map(entries));

/** All ways to write `bytes` with tokens of these texts. */
function* waysToWrite(bytes: Uint8Array, tokens: readonly Uint8Array[], start = 0): Generator<number[]> {
  if (start === bytes.length) yield [];
  for (const [token, text] of tokens.entries()) {
    if (start + text.length > bytes.length || !text.every((byte, i) => byte === bytes[start + i])) continue;
    for (const rest of waysToWrite(bytes, tokens, start + text.length)) yield [token, ...rest];
  }
}

const total = (ids: readonly number[], scores: ArrayLike<number>) => ids.reduce((sum, id) => sum + scores[id]!, 0);

/** Lattices over all frequent substrings of at most `maxLength` characters. */
function latticesOf(words: ReadonlyMap<string, number>, maxLength = 4) {
  const list = new WordList(words);
  const substrings = frequentSubstrings(list, maxLength);
  const seeds = chooseSeeds(substrings, 1000);
  const lattices = new WordLattices(list, substrings, seeds);
  const tokens = Array.from({ length: lattices.size }, (_, token) => lattices.bytesOf(token));
  return { lattices, tokens, scores: seedScores(list, substrings, seeds) };
}

test('encoding is the likeliest of all ways', () => {
  const token = fc.string({ unit: fc.constantFrom('a', 'b', 'é'), minLength: 2, maxLength: 4 });
  fc.assert(
    fc.property(
      fc.uniqueArray(token, { maxLength: 12 }),
      fc.array(fc.double({ min: -9, max: -1, noNaN: true }), { minLength: 268, maxLength: 268 }),
      fc.string({ unit: fc.constantFrom('a', 'b', 'é'), maxLength: 7 }),
      (texts, scores, text) => {
        const encoder = new TextEncoder();
        const tokens = [
          ...Array.from(BYTE_ORDER, (byte) => Uint8Array.of(byte)),
          ...texts.map((t) => encoder.encode(t)),
        ];
        const tokenizer = new UnigramTokenizer({
          tokens: tokens.map((bytes, i) => ({ bytes, score: scores[i]! })),
          added: [],
        });
        const ids = [...tokenizer.encode(text)];
        expect(tokenizer.decode(ids)).toBe(text);
        const best = Math.max(...Array.from(waysToWrite(encoder.encode(text), tokens), (way) => total(way, scores)));
        expect(total(ids, scores)).toBeCloseTo(best, 9);
      },
    ),
    { numRuns: 300 },
  );
});

describe('frequentSubstrings', () => {
  test('finds what a search of all substrings finds', () => {
    fc.assert(
      fc.property(wordCounts, fc.integer({ min: 1, max: 5 }), (words, maxLength) => {
        // By substring: how often it occurs, and what follows it.
        const counts = new Map<string, number>();
        const nexts = new Map<string, Set<string>>();
        const encoder = new TextEncoder();
        for (const [word, count] of words) {
          const characters = [...word];
          for (let i = 0; i < characters.length; i++) {
            for (let j = i + 1; j <= Math.min(characters.length, i + maxLength); j++) {
              const text = characters.slice(i, j).join('');
              counts.set(text, (counts.get(text) ?? 0) + count);
              const following = characters[j] === undefined ? 'end' : String(encoder.encode(characters[j])[0]);
              nexts.set(text, (nexts.get(text) ?? new Set()).add(following));
            }
          }
        }
        const expected = [...counts]
          .filter(([text, count]) => count >= 2 && encoder.encode(text).length > 1)
          .filter(([text]) => nexts.get(text)!.size > 1 || nexts.get(text)!.has('end'))
          .map(([text, count]) => [text, count, [...text].length]);
        const list = new WordList(words);
        const { positions, from, to, lengths, characters, counts: found } = frequentSubstrings(list, maxLength);
        const decoder = new TextDecoder();
        const textAt = (position: number, length: number) =>
          decoder.decode(list.bytes.subarray(position, position + length));
        const actual = from.map((first, i) => [textAt(positions[first]!, lengths[i]!), found[i], characters[i]]);
        expect(new Set(actual.map((row) => row.join()))).toEqual(new Set(expected.map((row) => row.join())));
        expect(actual).toHaveLength(expected.length);
        from.forEach((first, i) => {
          for (let k = first; k < to[i]!; k++) expect(textAt(positions[k]!, lengths[i]!)).toBe(actual[i]![0]);
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe('WordLattices', () => {
  const encoder = new TextEncoder();

  test('expected counts and likelihood are those of all ways', () => {
    fc.assert(
      fc.property(wordCounts, (words) => {
        const { lattices, tokens, scores } = latticesOf(words);
        const expected = new Float64Array(lattices.size);
        let logLikelihood = 0;
        for (const [word, count] of words) {
          const ways = [...waysToWrite(encoder.encode(word), tokens)].map((way) => ({
            way,
            p: Math.exp(total(way, scores)),
          }));
          const all = ways.reduce((sum, { p }) => sum + p, 0);
          logLikelihood += count * Math.log(all);
          for (const { way, p } of ways) for (const token of way) expected[token]! += (count * p) / all;
        }
        const actual = lattices.expectedCounts(scores);
        expect(actual.logLikelihood).toBeCloseTo(logLikelihood, 8);
        actual.counts.forEach((count, token) => {
          expect(count).toBeCloseTo(expected[token]!, 9);
        });
      }),
      { numRuns: 60 },
    );
  });

  test('expected counts do not underflow on long words', () => {
    const { lattices, scores } = latticesOf(new Map([['ab'.repeat(5000), 3]]));
    const { counts, logLikelihood } = lattices.expectedCounts(scores.map((score) => score - 100));
    expect(Number.isFinite(logLikelihood)).toBe(true);
    const bytes = counts.reduce((sum, count, token) => sum + count * lattices.bytesOf(token).length, 0);
    expect(bytes).toBeCloseTo(30_000, 5);
  });

  test('best counts are those of a likeliest way, alternatives the likeliest without the token', () => {
    fc.assert(
      fc.property(wordCounts, (words) => {
        const { lattices, tokens, scores } = latticesOf(words);
        const bestOf = (bytes: Uint8Array, avoided = -1) =>
          Math.max(
            ...[...waysToWrite(bytes, tokens)].filter((way) => !way.includes(avoided)).map((way) => total(way, scores)),
          );
        let expected = 0;
        for (const [word, count] of words) expected += count * bestOf(encoder.encode(word));
        const counts = lattices.bestCounts(scores);
        expect(counts.reduce((sum, count, token) => sum + (count && count * scores[token]!), 0)).toBeCloseTo(
          expected,
          8,
        );
        for (let token = 256; token < lattices.size; token++) {
          const others = lattices.alternative(token, scores);
          expect(others).not.toContain(token);
          expect(others.flatMap((other) => [...tokens[other]!])).toEqual([...tokens[token]!]);
          expect(total(others, scores)).toBeCloseTo(bestOf(tokens[token]!, token), 9);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('without some tokens they are those of a list that never had them', () => {
    fc.assert(
      fc.property(wordCounts, fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }), (words, drops) => {
        const { lattices, tokens, scores } = latticesOf(words);
        const kept = Int32Array.from(tokens.keys()).filter((token) => token < 256 || !drops[token % 60]);
        const list = new WordList(words);
        const substrings = frequentSubstrings(list, 4);
        const seeds = chooseSeeds(substrings, 1000);
        const fresh = new WordLattices(
          list,
          substrings,
          seeds.filter((_, i) => kept.includes(256 + i)),
        );
        lattices.keep(kept);
        const keptScores = Float64Array.from(kept, (token) => scores[token]!);
        expect(lattices.size).toBe(kept.length);
        expect(lattices.expectedCounts(keptScores)).toEqual(fresh.expectedCounts(keptScores));
        kept.forEach((token, i) => {
          expect(lattices.bytesOf(i)).toEqual(tokens[token]);
        });
      }),
      { numRuns: 60 },
    );
  });
});

test('no step of expectation–maximisation lowers the likelihood', () => {
  fc.assert(
    fc.property(wordCounts, (words) => {
      const { lattices, scores: first } = latticesOf(words);
      let scores = first;
      let last = -Infinity;
      for (let step = 0; step < 8; step++) {
        const { counts, logLikelihood } = lattices.expectedCounts(scores);
        const objective = logLikelihood + BYTE_PRIOR * scores.subarray(0, 256).reduce((sum, score) => sum + score, 0);
        expect(objective).toBeGreaterThanOrEqual(last - 1e-9 * Math.abs(objective));
        last = objective;
        scores = maximise(counts);
        expect(scores.reduce((sum, score) => sum + Math.exp(score), 0)).toBeCloseTo(1, 9);
      }
    }),
    { numRuns: 100 },
  );
});

describe('trainUnigram', () => {
  test('finds the words that a text is made of', async () => {
    const tokenizer = await trainUnigram([' whale ship whale sea ship whale'.repeat(20)], { vocabSize: 259 });
    const names = tokenizer
      .toJSON()
      .model.vocab.slice(256)
      .map(([token]) => token);
    expect(names).toEqual(['Ġwhale', 'Ġship', 'Ġsea']);
    // Three, two and one of six, but for what is left to bytes.
    const scores = tokenizer
      .toJSON()
      .model.vocab.slice(256)
      .map(([, score]) => Math.exp(score));
    expect(scores[0]! / scores[2]!).toBeCloseTo(3, 1);
    expect([...tokenizer.encode(' ship sea')]).toEqual([257, 258]);
  });

  test('the vocabulary has the size asked for, bytes first, likelier tokens before others', () => {
    expect(trained.vocabSize).toBe(600);
    expect(trained.specialTokens).toEqual({ mask: 598, end: 599 });
    const { vocab } = trained.toJSON().model;
    expect(vocab).toHaveLength(598);
    const scores = vocab.slice(256).map(([, score]) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(vocab.every(([, score]) => Number.isFinite(score) && score < 0)).toBe(true);
    // Their sums are exact, so that libraries that add in another order break ties alike.
    expect(vocab.every(([, score]) => Number.isInteger(4096 * score))).toBe(true);
  });

  test.each([256, 257, 300, 511])('gives %i tokens', async (vocabSize) => {
    expect((await trainUnigram(lines, { vocabSize })).vocabSize).toBe(vocabSize);
  });

  test('gives fewer where the text has no more substrings, and bytes for no text', async () => {
    expect((await trainUnigram(['ab ab'], { vocabSize: 1000 })).vocabSize).toBe(257);
    expect((await trainUnigram([], { vocabSize: 1000, endOfText: true })).vocabSize).toBe(257);
  });

  test('is the same again, and however the stream is cut', async () => {
    const text = lines.join('\n');
    const whole = (await trainUnigram([text], options)).toJSON();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(text.length), { maxLength: 20 }), async (places) => {
        const cuts = [0, ...places.sort((a, b) => a - b), text.length];
        const chunks = cuts.slice(1).map((cut, i) => text.slice(cuts[i], cut));
        expect((await trainUnigram(segments(chunks), options)).toJSON()).toEqual(whole);
      }),
      { numRuns: 4 },
    );
  });

  test('writes text with fewer tokens than bytes, the more the larger the vocabulary', async () => {
    const text = [...mixedLines(200, 9)].join('\n');
    const small = (await trainUnigram(lines, { vocabSize: 400 })).encode(text).length;
    expect(small).toBeLessThan(0.75 * new TextEncoder().encode(text).length);
    expect(trained.encode(text).length).toBeLessThan(0.95 * small);
  });

  test('keeps special tokens whole and out of the vocabulary', async () => {
    const tokenizer = await trainUnigram(['ab<|endoftext|>'.repeat(9)], { vocabSize: 300, endOfText: true });
    expect(
      tokenizer
        .toJSON()
        .model.vocab.slice(256)
        .map(([token]) => token),
    ).toEqual(['ab']);
    expect([...tokenizer.encode('ab<|endoftext|>')]).toEqual([256, 257]);
  });

  test.each([
    [{ vocabSize: 255 }, 'vocabSize is 255; use an integer from 256'],
    [{ vocabSize: 256, endOfText: true }, 'vocabSize is 256; use an integer from 257'],
    [{ vocabSize: 300.5 }, 'vocabSize is 300.5'],
    [{ vocabSize: 300, maxTokenLength: 0 }, 'maxTokenLength is 0'],
    [{ vocabSize: 300, numSeeds: -1 }, 'numSeeds is -1'],
  ])('refuses %j', async (wrong, message) => {
    await expect(trainUnigram([], wrong)).rejects.toThrow(message);
  });
});

describe('loadTokenizer refuses a unigram model with', () => {
  const edit = (change: Parameters<typeof edited>[1]) => edited(trained, change);
  test.each<[string, unknown, string]>([
    ['another pre-tokenizer', edit((j) => (j.pre_tokenizer = { type: 'Metaspace' })), 'pre_tokenizer.type is wrong'],
    ['a score that is no number', edit((j) => (j.model.vocab[300][1] = null)), 'model.vocab.300.1 is wrong'],
    ['a vocabulary as of BPE', edit((j) => (j.model.vocab = {})), 'model.vocab is wrong'],
    ['a byte missing', edit((j) => (j.model.vocab[0][0] = '!!')), 'the vocabulary lacks byte 33, written "!"'],
    ['a token twice', edit((j) => (j.model.vocab[300][0] = '!')), 'model.vocab names a token twice'],
    [
      'a token outside the alphabet',
      edit((j) => (j.model.vocab[300][0] = '東')),
      'not written in the byte-level alphabet',
    ],
    ['special tokens far off', edit((j) => (j.added_tokens[0].id = 9000)), 'no token has id 598'],
  ])('%s', (_, json, message) => {
    const load = () => loadTokenizer(json, 'here.json');
    expect(load).toThrow(/^here\.json: [^\n]*; use a tokenizer\.json such as this package writes\.$/);
    expect(load).toThrow(message);
  });

  test('but accepts special tokens in the vocabulary', () => {
    const json = edit((j) => j.model.vocab.push(['<mask>', 0], ['<|endoftext|>', 0]));
    const loaded = loadTokenizer(json);
    expect(loaded.encode('ab<mask>')).toEqual(trained.encode('ab<mask>'));
    expect(loadTokenizer(loaded.toJSON()).encode('<|endoftext|>')).toEqual(Int32Array.of(599));
  });
});
