import type { ByteLevelBpeJson } from '../tokenizer.ts';
import { type AddedToken, addedTokenToJson } from './added-tokens.ts';
import { bytesToToken } from './byte-level.ts';
import { VocabularyTokenizer } from './vocabulary-tokenizer.ts';

/** What the byte and the BPE tokenizer share: their tokenizer.json. */
export abstract class ByteLevelTokenizer extends VocabularyTokenizer {
  /**
   * @param tokens bytes of every id, added tokens included
   * @param merges pairs of ids, the first to be merged first
   */
  protected constructor(
    tokens: readonly Uint8Array[],
    private readonly merges: readonly (readonly [left: number, right: number])[],
    added: readonly AddedToken[],
  ) {
    super(tokens, added);
  }

  override toJSON(): ByteLevelBpeJson {
    const isAdded = new Set(this.added.map(({ id }) => id));
    const names = this.tokens.map((bytes, id) => (isAdded.has(id) ? '' : bytesToToken(bytes)));
    const vocab = Object.fromEntries(names.map((name, id) => [name, id]).filter(([name]) => name !== ''));
    return {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: this.added.map(addedTokenToJson),
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: null,
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab,
        merges: this.merges.map(([left, right]) => [names[left]!, names[right]!]),
      },
    };
  }
}
