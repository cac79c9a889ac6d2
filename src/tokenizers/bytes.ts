import { checkOptions } from '../base/options.ts';
import {
  type AddedToken,
  addedTokensKind,
  type SpecialTokenOptions,
  specialKinds,
  specialTexts,
  specialTokensFrom,
} from './added-tokens.ts';
import { bpeModelToJson } from './bpe.ts';
import { BYTE_ORDER, ByteLevelTokenizer } from './byte-level/byte-level.ts';
import type { IdBuffer } from './byte-level/id-buffer.ts';
import type { BpeModelJson } from './tokenizer.ts';

const ID_OF_BYTE: Int32Array = (() => {
  const ids = new Int32Array(256);
  BYTE_ORDER.forEach((byte, id) => {
    ids[byte] = id;
  });
  return ids;
})();

/** One token per UTF-8 byte, in GPT-2's order: BPE without merges. */
export class ByteTokenizer extends ByteLevelTokenizer<BpeModelJson<null>> {
  private readonly textEncoder = new TextEncoder();

  /** @param options special tokens, with ids from 256 on */
  constructor(options: SpecialTokenOptions & { added?: readonly AddedToken[] } = {}) {
    checkOptions<SpecialTokenOptions & { added?: readonly AddedToken[] }>('ByteTokenizer', options, {
      ...specialKinds,
      added: addedTokensKind,
    });
    const added = options.added ?? specialTokensFrom(256, specialTexts(options));
    super([...BYTE_TOKENS, ...added.map(({ content }) => new TextEncoder().encode(content))], added);
  }

  /** Pre-tokens would part nothing. */
  protected override encodePlain(text: string, ids: IdBuffer): void {
    ids.append(this.encodeBytes(this.textEncoder.encode(text)));
  }

  protected override encodeBytes(bytes: Uint8Array): Int32Array {
    const encoded = new Int32Array(bytes.length);
    for (let i = 0; i < bytes.length; i++) encoded[i] = ID_OF_BYTE[bytes[i]!]!;
    return encoded;
  }

  protected override modelToJson(names: readonly string[]): BpeModelJson<null> {
    return bpeModelToJson(names, []);
  }
}

const BYTE_TOKENS: readonly Uint8Array[] = Array.from(BYTE_ORDER, (byte) => Uint8Array.of(byte));
