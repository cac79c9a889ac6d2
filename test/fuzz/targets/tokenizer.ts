/** tokenizer.json, this package's and others'. What is accepted then encodes and decodes a text. */
import { readFileSync } from 'node:fs';
import { parseJson } from '../../../src/entries/internal.ts';
import {
  ByteTokenizer,
  loadAnyTokenizer,
  ProteinTokenizer,
  trainBpe,
  trainCharacters,
  trainUnigram,
} from '../../../src/entries/tokenizers.ts';
import { bertText, special, specials, wordPieceModel } from '../../support/word-piece.ts';
import { bytes, text } from '../files.ts';
import { mutateJson } from '../mutate-json.ts';
import type { Target } from '../target.ts';

const FILE = 'tokenizer.json';
const corpus = ['There she blows! She blows, the white whale, naïve and 漢字.\n'.repeat(8)];

const fourSpecials = specials.slice(0, 4);

/** A vocabulary of few tokens in each of the forms that other libraries write. */
const others: readonly object[] = [
  {
    ...bertText,
    post_processor: { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] },
    added_tokens: fourSpecials.map((content, id) => special(id, content)),
    model: wordPieceModel([...fourSpecials, 'the', 'whale', '##s', 'she', 'blow']),
  },
  {
    pre_tokenizer: { type: 'Whitespace' },
    model: { type: 'WordLevel', unk_token: '[UNK]', vocab: { '[UNK]': 0, the: 1, whale: 2, blows: 3 } },
  },
].map((json) => ({
  version: '1.0',
  truncation: null,
  padding: null,
  normalizer: null,
  post_processor: null,
  decoder: null,
  ...json,
}));

export const tokenizer: Target = {
  name: 'tokenizer',
  async seeds() {
    const own = [
      new ByteTokenizer(),
      new ProteinTokenizer(),
      await trainBpe(corpus, { vocabSize: 290 }),
      await trainUnigram(corpus, { vocabSize: 300 }),
      await trainCharacters(corpus, { endOfText: true }),
      ...others,
    ].map((json) => bytes(JSON.stringify(json)));
    const golden = ['bert', 'gpt2', 'roberta'].map((name) => readFileSync(`test/golden/transformers/${name}/${FILE}`));
    return [...own, ...golden].map((json) => ({ [FILE]: json }));
  },
  mutate: (random, seed) => ({ [FILE]: mutateJson(random, seed[FILE]!) }),
  start: async () => async (files) => {
    const loaded = await loadAnyTokenizer(parseJson(text(files[FILE]!), FILE), FILE);
    loaded.decode(loaded.encode('She blows, naïve 漢字 the whales!\u0000\n  '));
  },
};
