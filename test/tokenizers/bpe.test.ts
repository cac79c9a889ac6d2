import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergeByHeap, mergeByScan } from '../../src/tokenizers/byte-level/merge.ts';
import { ByteTokenizer } from '../../src/tokenizers/bytes.ts';
import { loadTokenizer } from '../../src/tokenizers/load-own-tokenizer.ts';
import type { Tokenizer } from '../../src/tokenizers/tokenizer.ts';
import { trainBpe } from '../../src/tokenizers/training/bpe.ts';
import { PairMap } from '../../src/tokenizers/training/pair-map.ts';
import { mixedLines } from '../data/text-mixture.ts';
import { describeTokenizer } from './conformance.ts';

const trainingLines = [...mixedLines(500, 1)];
const bpe = await trainBpe(trainingLines, { vocabSize: 700, endOfText: true });
const golden = new URL('../golden/tokenizers/', import.meta.url);
const goldenMerges: [string, string][] = JSON.parse(readFileSync(new URL('merges.json', golden), 'utf8'));

/** A tokenizer with these merges, written in the byte-level alphabet. */
function withMerges(merges: [string, string][]): Tokenizer {
  const json = new ByteTokenizer({ endOfText: true }).toJSON();
  const names = new Set([...Object.keys(json.model.vocab), ...merges.map(([left, right]) => left + right)]);
  json.model.vocab = Object.fromEntries([...names].map((name, id) => [name, id]));
  json.model.merges = merges;
  json.added_tokens[0]!.id = names.size;
  return loadTokenizer(json);
}

// Every pair of these characters is joined unless the pre-tokenizer parts them, so a wrong place to part shows.
const greedy = [..."ĠĊčĉ'stvermld1.-Â©ð"].flatMap((left, _, all) =>
  all.map((right): [string, string] => [left, right]),
);

const tokenizers: [string, Tokenizer][] = [
  ['BPE with the merges of Hugging Face', withMerges(goldenMerges)],
  ['BPE that merges what it can', withMerges(greedy)],
  ['bytes', new ByteTokenizer()],
  ['bytes with <|endoftext|>', new ByteTokenizer({ endOfText: true })],
  ['BPE', bpe],
  ['BPE without <|endoftext|>', await trainBpe(trainingLines, { vocabSize: 400 })],
];

for (const [name, tokenizer] of tokenizers) describeTokenizer(name, tokenizer);

test('the byte tokenizer uses the ids of GPT-2', () => {
  // "!" is 0 and the space, written Ġ, is 220 in GPT-2's vocabulary.
  expect([...new ByteTokenizer().encode('! \n\0A')]).toEqual([0, 220, 198, 188, 32]);
  expect(new ByteTokenizer().vocabSize).toBe(256);
  expect(new ByteTokenizer({ endOfText: true }).endOfText).toBe(256);
});

test('an incomplete character at the end of a stream becomes U+FFFD, and the stream starts afresh', () => {
  const tokenizer = new ByteTokenizer();
  const stream = tokenizer.decodeStream();
  const euro = tokenizer.encode('€');
  expect(stream.push(euro.slice(0, 2))).toBe('');
  expect(stream.end()).toBe('\ufffd');
  expect(stream.push(euro)).toBe('€');
});

describe('trainBpe', () => {
  test('learns the merges of Hugging Face’s trainer', async () => {
    const lines = readFileSync(new URL('corpus.txt', golden), 'utf8').split(/(?<=\n)/);
    const trained = await trainBpe(lines, { vocabSize: 30_000, minFrequency: 1 });
    expect(trained.toJSON().model.merges).toEqual(goldenMerges);
  });

  test('a case worked by hand', async () => {
    // Pairs: aa 3·2 + 1, ab 3. `aa` first; then X = aa leaves (X, a) 3, (a, b) 3, (X, c) 1: a is the smaller id.
    const texts = ['aaab', 'aaab', 'aaab', 'aac'];
    const { merges } = (await trainBpe(texts, { vocabSize: 259 })).toJSON().model;
    expect(merges).toEqual([
      ['a', 'a'],
      ['a', 'b'],
      ['aa', 'ab'],
    ]);
    const few = await trainBpe(texts, { vocabSize: 1000, minFrequency: 4 });
    expect(few.toJSON().model.merges).toEqual([['a', 'a']]);
    expect(few.vocabSize).toBe(257);
  });

  test('keeps <|endoftext|> whole and out of the merges', async () => {
    const trained = await trainBpe([`ab<|endoftext|>ab`.repeat(9)], { vocabSize: 300, endOfText: true });
    expect(trained.toJSON().model.merges).toEqual([
      ['a', 'b'],
      ['ab', 'ab'],
    ]);
    expect(trained.endOfText).toBe(258);
    expect([...trained.encode('ab<|endoftext|>')]).toEqual([256, 258]);
  });

  test('takes an async source, reports progress, and gives bytes for no text', async () => {
    const seen: [number, number][] = [];
    const source = (async function* () {
      yield* trainingLines;
    })();
    const trained = await trainBpe(source, {
      vocabSize: 700,
      endOfText: true,
      onProgress: (done, all) => seen.push([done, all]),
    });
    expect(trained.toJSON()).toEqual(bpe.toJSON());
    expect(seen.at(-1)).toEqual([443, 443]);
    expect((await trainBpe([], { vocabSize: 300 })).vocabSize).toBe(256);
  });

  test.each([
    [{ vocabSize: 255 }, 'vocabSize is 255; use an integer from 256'],
    [{ vocabSize: 256, endOfText: true }, 'vocabSize is 256; use an integer from 257'],
    [{ vocabSize: 300.5 }, 'vocabSize is 300.5'],
    [{ vocabSize: 300, minFrequency: 0 }, 'minFrequency is 0'],
  ])('refuses %j', async (options, message) => {
    await expect(trainBpe([], options)).rejects.toThrow(message);
  });
});

test('merging with a heap and by scanning agree', () => {
  // Random merges over 4 letters: rank r joins two earlier symbols to symbol 4 + r.
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 40 }),
      fc.array(fc.nat(3), { maxLength: 120 }),
      (pairs, symbols) => {
        const ranks = new PairMap();
        pairs.forEach(([left, right], rank) => {
          ranks.set(left % (4 + rank), right % (4 + rank), rank);
        });
        const merged = Int32Array.from(pairs, (_, rank) => 4 + rank);
        const heap = mergeByHeap(Int32Array.from(symbols), ranks, merged);
        expect(heap).toEqual(mergeByScan(Int32Array.from(symbols), ranks, merged));
      },
    ),
    { numRuns: 300 },
  );
});

test('PairMap agrees with a Map', () => {
  const number = fc.oneof(fc.nat(5), fc.nat(0x7fffffff));
  fc.assert(
    fc.property(fc.array(fc.tuple(number, number, fc.nat()), { maxLength: 400 }), (entries) => {
      const map = new PairMap();
      const reference = new Map<string, number>();
      for (const [left, right, value] of entries) {
        map.set(left, right, value);
        reference.set(`${left} ${right}`, value);
      }
      expect(map.size).toBe(reference.size);
      for (const [left, right] of entries) {
        expect(map.get(left, right)).toBe(reference.get(`${left} ${right}`));
        expect(map.get(right, left)).toBe(reference.get(`${right} ${left}`) ?? -1);
      }
    }),
  );
});

describe('loadTokenizer refuses', () => {
  const valid = () => JSON.parse(JSON.stringify(bpe.toJSON()));
  const edit = (change: (json: ReturnType<typeof valid>) => void) => {
    const json = valid();
    change(json);
    return json;
  };
  test.each<[string, unknown, string]>([
    ['nothing', null, 'the file is wrong'],
    ['another model', edit((j) => (j.model.type = 'WordPiece')), 'model.type is wrong'],
    ['another pre-tokenizer', edit((j) => (j.pre_tokenizer = { type: 'Whitespace' })), 'pre_tokenizer.type is wrong'],
    [
      'a prefix space',
      edit((j) => (j.pre_tokenizer.add_prefix_space = true)),
      'pre_tokenizer.add_prefix_space is wrong',
    ],
    ['a normalizer', edit((j) => (j.normalizer = { type: 'NFC' })), 'normalizer is wrong'],
    ['no vocabulary', edit((j) => delete j.model.vocab), 'model.vocab is wrong (must map tokens to integer ids)'],
    ['a missing byte', edit((j) => delete j.model.vocab['!']), 'no token has id 0'],
    ['a gap in the ids', edit((j) => (j.model.vocab['!'] = 5000)), 'no token has id 0'],
    ['an id used twice', edit((j) => (j.model.vocab['!'] = 1)), 'id 1 is given to two tokens'],
    ['a merge of unknown tokens', edit((j) => j.model.merges.push(['!', '東'])), 'merges.443 needs "東"'],
    ['a repeated merge', edit((j) => j.model.merges.push(j.model.merges[0])), 'model.merges.443 repeats the pair'],
    ['a malformed merge', edit((j) => j.model.merges.push('a b c')), 'model.merges.443 is not a pair'],
    ['a token outside the alphabet', edit((j) => (j.model.vocab.東 = 700)), 'not written in the byte-level alphabet'],
    ['a stripping token', edit((j) => (j.added_tokens[0].lstrip = true)), 'added_tokens.0.lstrip is wrong'],
    ['a token with a space', edit((j) => (j.added_tokens[0].content = 'a b')), 'must not contain white space'],
  ])('%s', (_, json, message) => {
    const load = () => loadTokenizer(json, 'here.json');
    expect(load).toThrow(/^here\.json: [^\n]*; use a tokenizer\.json such as this package writes\.$/);
    expect(load).toThrow(message);
  });

  test('but accepts merges as strings, and added tokens in the vocabulary', () => {
    const json = edit((j) => {
      j.model.merges = j.model.merges.map((pair: string[]) => pair.join(' '));
      j.model.vocab['<|endoftext|>'] = j.added_tokens[0].id;
    });
    expect(loadTokenizer(json).toJSON()).toEqual(bpe.toJSON());
  });

  test('and accepts tokens named like members of Object', async () => {
    const texts = ['constructor'.repeat(1), 'constructor', 'constructor'];
    const trained = await trainBpe(texts, { vocabSize: 300 });
    expect(Object.hasOwn(trained.toJSON().model.vocab, 'constructor')).toBe(true);
    expect([...loadTokenizer(JSON.parse(JSON.stringify(trained))).encode('constructor')]).toHaveLength(1);
  });
});
