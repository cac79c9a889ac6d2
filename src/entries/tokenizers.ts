/** `performers/tokenizers`: text to ids and back, and tokenizers trained on text. */

// Tokenizers.
export { ByteTokenizer } from '../tokenizers/bytes.ts';
export { CharacterTokenizer } from '../tokenizers/characters.ts';
export { BpeTokenizer } from '../tokenizers/bpe.ts';
export { UnigramTokenizer } from '../tokenizers/unigram.ts';
export { ProteinTokenizer } from '../tokenizers/proteins.ts';
export { PixelTokenizer, pixelText } from '../tokenizers/pixels.ts';

// Training.
export { trainCharacters, type TrainCharactersOptions } from '../tokenizers/training/characters.ts';
export { trainBpe, type TrainBpeOptions } from '../tokenizers/training/bpe.ts';
export { trainUnigram, type TrainUnigramOptions } from '../tokenizers/training/unigram.ts';
export { segmentsOf } from '../tokenizers/text-segments.ts';

// Reading: ours, those of Hugging Face, or whichever a file holds.
export { loadTokenizer } from '../tokenizers/load-own-tokenizer.ts';
export { loadForeignTokenizer, type ForeignTokenizer } from '../tokenizers/hugging-face-tokenizer.ts';
export { loadAnyTokenizer } from '../tokenizers/load-any-tokenizer.ts';
export type { SpecialTokenOptions } from '../tokenizers/added-tokens.ts';
export type {
  EncodeOptions,
  ForeignTokenizerJson,
  SpecialRole,
  SpecialTokens,
  Tokenizer,
  TokenizerJson,
  TokenStream,
} from '../tokenizers/tokenizer.ts';
