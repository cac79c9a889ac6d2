import { checkArguments, type OptionKind, option } from '../base/options.ts';
import type { AddedToken } from './added-tokens.ts';
import { addedTokensKind } from './added-tokens.ts';
import { ByteLevelTokenizer } from './byte-level/byte-level.ts';
import { mergePairs } from './byte-level/merge.ts';
import type { BpeModelJson } from './tokenizer.ts';
import { PairMap } from './training/pair-map.ts';

interface BpeParts {
  /** Bytes of every id, added tokens included. */
  readonly tokens: readonly Uint8Array[];
  /** Pairs of ids, the first to be merged first; the joined bytes must be a token too. */
  readonly merges: readonly (readonly [left: number, right: number])[];
  readonly added: readonly AddedToken[];
}

/** Byte-level byte-pair encoding with GPT-2's pre-tokenizer. Make one with `trainBpe` or `loadTokenizer`. */
export class BpeTokenizer extends ByteLevelTokenizer<BpeModelJson<null>> {
  private readonly merges: BpeParts['merges'];
  private readonly ranks = new PairMap();
  private readonly merged: Int32Array;
  private readonly idOfByte = new Int32Array(256);

  constructor(parts: BpeParts) {
    checkArguments(
      'BpeTokenizer',
      { parts },
      {
        parts: option.having('tokens, merges and added', {
          tokens: option.listOf(option.bytes),
          merges: option.listOf(pairKind),
          added: addedTokensKind,
        }),
      },
    );
    const { tokens, merges, added } = parts;
    super(tokens, added);
    this.merges = merges;
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

  protected override encodeBytes(bytes: Uint8Array): Int32Array {
    const symbols = Int32Array.from(bytes, (byte) => this.idOfByte[byte]!);
    return mergePairs(symbols, this.ranks, this.merged);
  }

  protected override modelToJson(names: readonly string[]): BpeModelJson<null> {
    return bpeModelToJson(
      names,
      this.merges.map(([left, right]) => [names[left]!, names[right]!]),
    );
  }
}

/** @param names text of every id; the empty string for those that are only added, not in the vocabulary */
export function bpeModelToJson(names: readonly string[], merges: [left: string, right: string][]): BpeModelJson<null> {
  return {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab: Object.fromEntries(names.map((name, id) => [name, id]).filter(([name]) => name !== '')),
    merges,
  };
}

/** Bytes as a string of the same length. */
export function keyOf(bytes: Uint8Array): string {
  let key = '';
  for (const byte of bytes) key += String.fromCharCode(byte);
  return key;
}

const pairKind: OptionKind = {
  wanted: 'a pair of ids',
  accepts: (value) => Array.isArray(value) && value.length === 2 && value.every((id) => option.natural.accepts(id)),
};
