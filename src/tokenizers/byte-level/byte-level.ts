/**
 * GPT-2's byte-level alphabet and pre-tokenizer. A tokenizer.json must be text, so each byte is written as a printable
 * character. A byte that is printable in Latin-1 is written as itself, any other as the next free character from U+0100
 * on.
 */

import type { ByteLevelJson, ByteLevelModelJson } from '../tokenizer.ts';
import { commonJson, VocabularyTokenizer } from '../vocabulary-tokenizer.ts';
import type { IdBuffer } from './id-buffer.ts';

/** Bytes in the order of GPT-2's vocabulary: the printable ones first. `BYTE_ORDER[id]` is the byte of token `id`. */
export const BYTE_ORDER: Uint8Array = (() => {
  const isPrintable = (b: number) => (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
  const bytes = Array.from({ length: 256 }, (_, b) => b);
  return Uint8Array.from([...bytes.filter(isPrintable), ...bytes.filter((b) => !isPrintable(b))]);
})();

/** Number of bytes that are written as themselves. */
const NUM_PRINTABLE = 188;

/** Character that stands for each byte. */
export const BYTE_TO_CHARACTER: readonly string[] = (() => {
  const characters: string[] = new Array(256);
  BYTE_ORDER.forEach((byte, id) => {
    characters[byte] = String.fromCharCode(id < NUM_PRINTABLE ? byte : 256 + id - NUM_PRINTABLE);
  });
  return characters;
})();

const CHARACTER_TO_BYTE: ReadonlyMap<string, number> = new Map(BYTE_TO_CHARACTER.map((c, b) => [c, b]));

/** Writes bytes in the byte-level alphabet. */
function bytesToToken(bytes: Uint8Array): string {
  let token = '';
  for (const byte of bytes) token += BYTE_TO_CHARACTER[byte];
  return token;
}

/** Bytes of a token in the byte-level alphabet; undefined if it holds a character from outside the alphabet. */
export function tokenToBytes(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = CHARACTER_TO_BYTE.get(token[i]!);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

/**
 * Splits text into the pieces that merges never cross. `\s` is Unicode's white space, as in the
 * Rust library; that of JavaScript, and `@huggingface/tokenizers`, differs for U+FEFF and U+0085.
 */
export const PRE_TOKEN_PATTERN =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

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
   * @param names every token in the alphabet of bytes, added tokens as they are. The empty string stands for added
   *   tokens that follow all others.
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
      ...commonJson(this.added),
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
