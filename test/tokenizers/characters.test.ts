import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { loadTokenizer } from '../../src/tokenizers/load-own-tokenizer.ts';
import { ProteinTokenizer, RESIDUES } from '../../src/tokenizers/proteins.ts';
import { segments } from '../../src/tokenizers/text-segments.ts';
import { trainCharacters } from '../../src/tokenizers/training/characters.ts';
import { mixedLines } from '../data/text-mixture.ts';
import { describeTokenizer } from './conformance.ts';
import { edited } from './edited.ts';

const lines = [...mixedLines(60, 1)];
const trained = await trainCharacters(lines, { endOfText: true, mask: true });

/** Text with every character that `known` lacks replaced; special tokens stay. */
function replacing(known: ReadonlySet<string>, specials: ReadonlySet<string>, unknown: string) {
  const pattern = new RegExp(`${[...specials].map((text) => text.replaceAll('|', '\\|')).join('|')}|[^]`, 'gu');
  const kept = new Set([...known, ...specials]);
  return (text: string) => text.replace(pattern, (match) => (kept.has(match) ? match : unknown));
}

/** Residues, now and then broken by a special token or what is no residue. */
function* proteinLines(count: number): Generator<string> {
  const random = new Random(6);
  const others = ['<s>', '</s>', '<pad>', '<mask>', '<unk>', 'J', 'a', '*', ' ', 'é', '😀'];
  for (let line = 0; line < count; line++) {
    let text = '';
    for (let n = random.integer(60); n > 0; n--) {
      text += random.integer(10) === 0 ? others[random.integer(others.length)] : RESIDUES[random.integer(25)];
    }
    yield text;
  }
}

const isSeen = new Set(lines.flatMap((line) => [...line.replaceAll('<|endoftext|>', '')]));
describeTokenizer('characters', trained, replacing(isSeen, new Set(trained.specials.keys()), '\ufffd'));
describeTokenizer(
  'proteins',
  new ProteinTokenizer(),
  replacing(new Set(RESIDUES), new Set(new ProteinTokenizer().specials.keys()), '<unk>'),
  [...mixedLines(1000, 2), ...proteinLines(2000)],
);

describe('trainCharacters', () => {
  test('a case worked by hand', async () => {
    const tokenizer = await trainCharacters(['ba<|endoftext|>😀a\ud800', 'é\ufffd'], {
      endOfText: true,
      padding: true,
    });
    expect(tokenizer.toJSON().model.vocab).toEqual({
      '\ufffd': 0,
      a: 1,
      b: 2,
      é: 3,
      '😀': 4,
      '<pad>': 5,
      '<|endoftext|>': 6,
    });
    expect(tokenizer.specialTokens).toEqual({ unknown: 0, padding: 5, end: 6 });
    expect(tokenizer.endOfText).toBe(6);
    expect([...tokenizer.encode('b😀é?<|endoftext|>a東')]).toEqual([2, 4, 3, 0, 6, 1, 0]);
    expect(tokenizer.decode([2, 0, 4])).toBe('b\ufffd😀');
  });

  test('keeps the most frequent characters, of equally frequent ones the smaller', async () => {
    const tokenizer = await trainCharacters(['zzzyyxxwv'], { vocabSize: 3 });
    expect(Object.keys(tokenizer.toJSON().model.vocab)).toEqual(['\ufffd', 'x', 'z']);
    const all = await trainCharacters(['zzzyyxxwv'], { vocabSize: 100 });
    expect(all.vocabSize).toBe(6);
  });

  test('does not depend on how a stream is cut', async () => {
    const text = lines.join('\n');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(text.length), { maxLength: 20 }), async (places) => {
        const cuts = [0, ...places.sort((a, b) => a - b), text.length];
        const chunks = cuts.slice(1).map((cut, i) => text.slice(cuts[i], cut));
        const tokenizer = await trainCharacters(segments(chunks), { endOfText: true, mask: true });
        expect(tokenizer.toJSON().model.vocab).toEqual(
          (await trainCharacters([text], { endOfText: true, mask: true })).toJSON().model.vocab,
        );
      }),
      { numRuns: 20 },
    );
  });

  test.each([
    [{ vocabSize: 0 }, 'vocabSize is 0; use an integer of at least 1'],
    [{ vocabSize: 1, endOfText: true }, 'vocabSize is 1; use an integer of at least 2'],
    [{ vocabSize: 3.5 }, 'vocabSize is 3.5'],
  ])('refuses %j', async (options, message) => {
    await expect(trainCharacters([], options)).rejects.toThrow(message);
  });
});

test('a lone surrogate is U+FFFD also where that is not the unknown token', () => {
  const json = trained.toJSON();
  const tokenizer = loadTokenizer({ ...json, model: { ...json.model, unk_token: 'a' } });
  expect([...tokenizer.encode('\ud800\u{10ffff}')]).toEqual([0, json.model.vocab.a]);
});

test('of special tokens that start alike the longest is found', () => {
  const json = JSON.parse(JSON.stringify(trained.toJSON()).replaceAll('<|endoftext|>', '<mask>s'));
  const { mask, end } = trained.specialTokens;
  expect([...loadTokenizer(json).encode('<mask>s<mask>')]).toEqual([end, mask]);
});

test('the ids of proteins are fixed', () => {
  const tokenizer = new ProteinTokenizer();
  expect(tokenizer.vocabSize).toBe(30);
  expect(tokenizer.specialTokens).toEqual({ padding: 0, beginning: 1, end: 2, unknown: 3, mask: 4 });
  expect(tokenizer.endOfText).toBe(2);
  expect([...tokenizer.encode('ACDEFGHIKLMNPQRSTVWYBOUXZ')]).toEqual(Array.from({ length: 25 }, (_, i) => 5 + i));
  expect([...tokenizer.encode('<s>MKV<mask>L</s><pad>J a')]).toEqual([1, 15, 13, 22, 4, 14, 2, 0, 3, 3, 3]);
});

describe('loadTokenizer refuses characters with', () => {
  const edit = (change: Parameters<typeof edited>[1]) => edited(trained, change);
  test.each<[string, unknown, string]>([
    ['a token of two characters', edit((j) => (j.model.vocab.ab = j.added_tokens[0].id)), 'is given to two tokens'],
    [
      'a long token',
      edit((j) => {
        j.model.vocab.ab = j.model.vocab.a;
        delete j.model.vocab.a;
      }),
      'token "ab" is not one character',
    ],
    ['merges', edit((j) => j.model.merges.push(['a', 'b'])), 'model.merges.0 is wrong'],
    ['no unknown token', edit((j) => (j.model.unk_token = null)), 'model.unk_token is wrong'],
    ['an unknown token that is missing', edit((j) => (j.model.unk_token = '<u>')), 'model.unk_token is "<u>", which'],
    ['fused unknown tokens', edit((j) => (j.model.fuse_unk = true)), 'model.fuse_unk is wrong'],
    ['another decoder', edit((j) => (j.decoder = { type: 'Strip' })), 'decoder.type is wrong'],
    ['an id twice', edit((j) => (j.model.vocab.a = 0)), 'id 0 is given to two tokens'],
    ['a special token of two ids', edit((j) => (j.added_tokens[0].id = 1000)), 'has ids'],
  ])('%s', (_, json, message) => {
    const load = () => loadTokenizer(json, 'here.json');
    expect(load).toThrow(/^here\.json: [^\n]*; use a tokenizer\.json such as this package writes\.$/);
    expect(load).toThrow(message);
  });
});
