/** A special token as tokenizer.json writes it. */
export const special = (id: number, content: string) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

/** The first ids. */
export const specials = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];

/** How BERT's tokenizer.json reads and writes text. */
export const bertText = {
  normalizer: {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
};

export const wordPieceModel = (tokens: readonly string[]) => ({
  type: 'WordPiece',
  unk_token: '[UNK]',
  continuing_subword_prefix: '##',
  max_input_chars_per_word: 100,
  vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
});

/** A tokenizer.json in BERT's form, of the special tokens and `words`. */
export function wordPiece(words: readonly string[]) {
  const tokens = [...specials, ...words];
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specials.map((content, id) => special(id, content)),
    ...bertText,
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
    model: wordPieceModel(tokens),
  };
}
