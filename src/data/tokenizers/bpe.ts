import type { AddedToken } from './added-tokens.ts';
import { PRE_TOKEN_PATTERN } from './byte-level.ts';
import { ByteLevelTokenizer } from './byte-level-tokenizer.ts';
import type { IdBuffer } from './id-buffer.ts';
import { mergePairs } from './merge.ts';
import { PairMap } from './pair-map.ts';

/** Pieces up to this length, in UTF-16 units, are remembered with their ids. */
const LONGEST_CACHED = 64;
const CACHE_SIZE = 1 << 16;

/** V8 keeps a substring this long as a view that holds the whole text alive. */
const SLICE_LENGTH = 13;

export interface BpeParts {
  /** Bytes of every id, added tokens included. */
  readonly tokens: readonly Uint8Array[];
  /** Pairs of ids, the first to be merged first; the joined bytes must be a token too. */
  readonly merges: readonly (readonly [left: number, right: number])[];
  readonly added: readonly AddedToken[];
}

/** Byte-level byte-pair encoding with GPT-2's pre-tokenizer. Make one with `trainBpe` or `loadTokenizer`. */
export class BpeTokenizer extends ByteLevelTokenizer {
  private readonly ranks = new PairMap();
  private readonly merged: Int32Array;
  private readonly idOfByte = new Int32Array(256);
  private readonly cache = new Map<string, Int32Array>();
  private readonly encoder = new TextEncoder();
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor({ tokens, merges, added }: BpeParts) {
    super(tokens, merges, added);
    const addedIds = new Set(added.map(({ id }) => id));
    const ids = new Map<string, number>();
    tokens.forEach((bytes, id) => {
      if (addedIds.has(id)) return;
      ids.set(keyOf(bytes), id);
      if (bytes.length === 1) this.idOfByte[bytes[0]!] = id;
    });
    this.merged = new Int32Array(merges.length);
    merges.forEach(([left, right], rank) => {
      this.ranks.set(left, right, rank);
      this.merged[rank] = ids.get(keyOf(tokens[left]!) + keyOf(tokens[right]!))!;
    });
  }

  protected override encodePlain(text: string, ids: IdBuffer): void {
    for (const piece of text.match(PRE_TOKEN_PATTERN) ?? []) {
      const cached = this.cache.get(piece);
      ids.append(cached ?? this.encodePiece(piece));
    }
  }

  private encodePiece(piece: string): Int32Array {
    const bytes = this.encoder.encode(piece);
    const symbols = Int32Array.from(bytes, (byte) => this.idOfByte[byte]!);
    const ids = mergePairs(symbols, this.ranks, this.merged);
    if (piece.length <= LONGEST_CACHED) {
      if (this.cache.size === CACHE_SIZE) this.cache.clear();
      this.cache.set(piece.length < SLICE_LENGTH ? piece : this.decoder.decode(bytes), ids);
    }
    return ids;
  }
}

/** Bytes as a string of the same length. */
export function keyOf(bytes: Uint8Array): string {
  let key = '';
  for (const byte of bytes) key += String.fromCharCode(byte);
  return key;
}
