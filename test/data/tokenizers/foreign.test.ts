import { expect, test } from 'vitest';
import { ByteTokenizer } from '../../../src/data/tokenizers/bytes.ts';
import { loadForeignTokenizer } from '../../../src/data/tokenizers/foreign.ts';
import { specials, wordPiece } from '../../support/word-piece.ts';

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

test.each<[string, unknown, string]>([
  ['nothing', null, 'here.json holds no object'],
  ['an empty object', {}, 'here.json is of a form that @huggingface/tokenizers cannot load ('],
  ['an unknown model', { ...wordPiece(words), model: { type: 'Riddle' } }, '(Unknown TokenizerModel type: Riddle)'],
])('refuses %s in one sentence', async (_, json, message) => {
  const refusal = loadForeignTokenizer(json, 'here.json');
  await expect(refusal).rejects.toThrow(message);
  await expect(refusal).rejects.toThrow(/^here\.json [^\n]*\.$/);
});
