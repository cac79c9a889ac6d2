import { expect, test } from 'vitest';
import { ByteTokenizer } from '../../src/tokenizers/bytes.ts';
import { loadForeignTokenizer } from '../../src/tokenizers/hugging-face-tokenizer.ts';
import { loadAnyTokenizer } from '../../src/tokenizers/load-any-tokenizer.ts';
import { specials, wordPiece } from '../support/word-piece.ts';

const words = ['the', 'whale', '##s', 'w', '##in', '##g', '!'];

test('reads WordPiece: the longest pieces first, unknown words whole, special tokens by their text', async () => {
  const tokenizer = await loadForeignTokenizer(wordPiece(words));
  expect(tokenizer.vocabSize).toBe(12);
  expect(tokenizer.specialTokens).toEqual({ padding: 0, unknown: 1, beginning: 2, end: 3, mask: 4 });
  expect([...tokenizer.specials.keys()]).toEqual(specials);
  expect([...tokenizer.encode('The WHÁLES wing [MASK]squid!')]).toEqual([5, 6, 7, 8, 9, 10, 4, 1, 11]);
  expect([...tokenizer.encode('whale', { framed: true })]).toEqual([2, 6, 3]);
  expect(tokenizer.decode([5, 6, 7, 8, 9, 10])).toBe('the whales wing');
  expect(tokenizer.decode([])).toBe('');
  expect(() => tokenizer.decode([5, 12])).toThrow('Token id 12 is outside the vocabulary of 12');
});

test('gives the ids of a form that this package has itself', async () => {
  const own = new ByteTokenizer({ endOfText: true });
  const foreign = await loadForeignTokenizer(own.toJSON());
  expect(foreign.vocabSize).toBe(257);
  expect(foreign.specialTokens).toEqual(own.specialTokens);
  for (const text of ['naïve 東京<|endoftext|> 😀', 'a\ud800b']) expect(foreign.encode(text)).toEqual(own.encode(text));
});

const file = wordPiece(words);
const model = { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] };

test.each<[string, unknown, string]>([
  ['nothing', null, 'here.json holds no object'],
  ['an empty object', {}, 'here.json has no model'],
  ['a model that is no object', { model: 3 }, 'here.json: model is no object'],
  ['an unknown model', { ...file, model: { type: 'Riddle' } }, 'here.json: model.type is "Riddle"'],
  ['an unknown key of the file', { ...file, riddle: 1 }, 'here.json: sets riddle'],
  ['an unknown key of the model', { model: { ...model, riddle: 1 } }, 'here.json: model sets riddle'],
  ['a part without a type', { model, pre_tokenizer: {} }, 'here.json: pre_tokenizer.type is undefined'],
  [
    'scripts',
    { model, pre_tokenizer: { type: 'UnicodeScripts' } },
    'here.json: pre_tokenizer.type is "UnicodeScripts"',
  ],
  [
    'a part within others',
    { model, normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Lowercase', riddle: 1 }] } },
    'here.json: normalizer.normalizers.1 sets riddle',
  ],
  ['dropout', { model: { ...model, dropout: 0.1 } }, 'here.json: model.dropout is 0.1'],
  ['merges without tokens', { model: { ...model, merges: ['b a'] } }, 'model.merges.0 needs the token "ba"'],
  ['merges of three', { model: { ...model, merges: ['a b c'] } }, 'model.merges.0 is not a pair'],
  ['a huge id', { model: { ...model, vocab: { a: 0, b: 1, ab: 2 ** 31 } } }, 'gives "ab" the id 2147483648'],
  ['an id below 0', { model: { ...model, vocab: { a: -1, b: 1, ab: 2 } } }, 'here.json: model.vocab.a is not valid'],
  [
    'a regular expression that JavaScript lacks',
    { model, pre_tokenizer: { type: 'Split', pattern: { Regex: '(?<=a|(b' }, behavior: 'Isolated', invert: false } },
    'here.json: pre_tokenizer.pattern is "(?<=a|(b", a regular expression',
  ],
  [
    'a table of characters that is damaged',
    { model, normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAA' } },
    'here.json: normalizer.precompiled_charsmap is damaged',
  ],
  [
    'a template without its token',
    { ...file, post_processor: { ...file.post_processor, special_tokens: {} } },
    'here.json: post_processor.special_tokens lacks "[CLS]"',
  ],
])('refuses %s in one sentence', async (_, json, message) => {
  const refusal = loadAnyTokenizer(json, 'here.json');
  await expect(refusal).rejects.toThrow(message);
  await expect(refusal).rejects.toThrow(/^here\.json[^\n]*\.$/);
});

test('refuses a text of which a character has no token, where none stands for the unknown', async () => {
  const tokenizer = await loadForeignTokenizer({ model: { ...model, unk_token: '<unk>' } });
  expect([...tokenizer.encode('abab')]).toEqual([2, 2]);
  expect(() => tokenizer.encode('abc')).toThrow('model.vocab lacks "c", and unk_token "<unk>" is no token of it');
});

test('encodes texts whole where a file saves padding and truncation', async () => {
  const padding = { strategy: { Fixed: 16 }, direction: 'Right', pad_id: 0, pad_type_id: 0, pad_token: '[PAD]' };
  const truncation = { direction: 'Right', max_length: 2, strategy: 'LongestFirst', stride: 0 };
  const tokenizer = await loadAnyTokenizer({ ...file, padding, truncation });
  expect([...tokenizer.encode('the whale wing')]).toEqual([5, 6, 8, 9, 10]);
});
