import { BYTE_ORDER } from './byte-level.ts';
import { type AddedToken, ByteLevelTokenizer, endOfTextToken, type IdBuffer } from './byte-level-tokenizer.ts';

const ID_OF_BYTE: Int32Array = (() => {
  const ids = new Int32Array(256);
  BYTE_ORDER.forEach((byte, id) => {
    ids[byte] = id;
  });
  return ids;
})();

/** One token per UTF-8 byte, in GPT-2's order: BPE without merges. */
export class ByteTokenizer extends ByteLevelTokenizer {
  private readonly encoder = new TextEncoder();

  /** @param options.endOfText add `<|endoftext|>` as id 256. Default false. */
  constructor(options: { endOfText?: boolean; added?: readonly AddedToken[] } = {}) {
    const added = options.added ?? (options.endOfText ? [endOfTextToken(256)] : []);
    super([...BYTE_TOKENS, ...added.map(({ content }) => new TextEncoder().encode(content))], [], added);
  }

  protected override encodePlain(text: string, ids: IdBuffer): void {
    const bytes = this.encoder.encode(text);
    const encoded = new Int32Array(bytes.length);
    for (let i = 0; i < bytes.length; i++) encoded[i] = ID_OF_BYTE[bytes[i]!]!;
    ids.append(encoded);
  }
}

const BYTE_TOKENS: readonly Uint8Array[] = Array.from(BYTE_ORDER, (byte) => Uint8Array.of(byte));
