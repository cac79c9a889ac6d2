import { expect, test } from 'vitest';
import { ByteTokenizer } from '../../../src/data/tokenizers/bytes.ts';
import { loadForeignTokenizer } from '../../../src/data/tokenizers/foreign.ts';

const special = (id: number, content: string) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

const specials = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];

/** BERT's form, with a vocabulary of twelve. */
function wordPiece() {
  const tokens = [...specials, 'the', 'whale', '##s', 'w', '##in', '##g', '!'];
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specials.map((content, id) => special(id, content)),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [
        { SpecialToken: { id: '[CLS]', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '[SEP]', type_id: 0 } },
      ],
      pair: [],
      special_tokens: {
        '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
        '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
      },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    },
  };
}

test('reads WordPiece: the longest pieces first, unknown words whole, special tokens by their text', async () => {
  const tokenizer = await loadForeignTokenizer(wordPiece());
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
  ['an unknown model', { ...wordPiece(), model: { type: 'Riddle' } }, '(Unknown TokenizerModel type: Riddle)'],
])('refuses %s in one sentence', async (_, json, message) => {
  const refusal = loadForeignTokenizer(json, 'here.json');
  await expect(refusal).rejects.toThrow(message);
  await expect(refusal).rejects.toThrow(/^here\.json [^\n]*\.$/);
});
