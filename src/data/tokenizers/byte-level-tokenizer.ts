import type { ByteLevelJson, ByteLevelModelJson } from '../tokenizer.ts';
import { addedTokenToJson } from './added-tokens.ts';
import { bytesToToken, PRE_TOKEN_PATTERN } from './byte-level.ts';
import type { IdBuffer } from './id-buffer.ts';
import { VocabularyTokenizer } from './vocabulary-tokenizer.ts';

/** Pieces up to this length, in UTF-16 units, are remembered with their ids. */
const LONGEST_CACHED = 64;
const CACHE_SIZE = 1 << 16;

/** V8 keeps a substring this long as a view that holds the whole text alive. */
const SLICE_LENGTH = 13;

/** What bytes, BPE and unigram share: GPT-2's alphabet of bytes and its pre-tokenizer. */
export abstract class ByteLevelTokenizer<Model extends ByteLevelModelJson> extends VocabularyTokenizer {
  private readonly cache = new Map<string, Int32Array>();
  private readonly encoder = new TextEncoder();
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  /** Ids of one pre-token. */
  protected abstract encodeBytes(bytes: Uint8Array): Int32Array;

  /**
   * The model of tokenizer.json.
   *
   * @param names every token in the alphabet of bytes, those that are added as they are; the empty string for added ones that
   *   follow all others
   */
  protected abstract modelToJson(names: readonly string[]): Model;

  protected override encodePlain(text: string, ids: IdBuffer): void {
    for (const piece of text.match(PRE_TOKEN_PATTERN) ?? []) {
      const cached = this.cache.get(piece);
      ids.append(cached ?? this.encodePiece(piece));
    }
  }

  override toJSON(): ByteLevelJson<Model> {
    const added = new Map(this.added.map(({ id, content }) => [id, content]));
    // A file gives an added token that its vocabulary lacks the next id, so those before the last ordinary token are in it.
    const last = this.tokens.findLastIndex((_, id) => !added.has(id));
    return {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: this.added.map(addedTokenToJson),
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: null,
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: this.modelToJson(
        this.tokens.map((bytes, id) => (id > last ? '' : (added.get(id) ?? bytesToToken(bytes)))),
      ),
    };
  }

  private encodePiece(piece: string): Int32Array {
    const bytes = this.encoder.encode(piece);
    const ids = this.encodeBytes(bytes);
    if (piece.length <= LONGEST_CACHED) {
      if (this.cache.size === CACHE_SIZE) this.cache.clear();
      this.cache.set(piece.length < SLICE_LENGTH ? piece : this.decoder.decode(bytes), ids);
    }
    return ids;
  }
}
