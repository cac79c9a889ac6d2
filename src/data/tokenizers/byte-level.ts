/**
 * GPT-2's byte-level alphabet and pre-tokenizer. A tokenizer.json must be text, so each byte is written as a printable
 * character: itself where it is printable in Latin-1, else the next free character from U+0100 on.
 */

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

export const CHARACTER_TO_BYTE: ReadonlyMap<string, number> = new Map(BYTE_TO_CHARACTER.map((c, b) => [c, b]));

/** Writes bytes in the byte-level alphabet. */
export function bytesToToken(bytes: Uint8Array): string {
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
