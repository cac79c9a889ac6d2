/** SentencePiece's compiled table of characters: a Darts double array from UTF-8 to places in a list of texts. */
import { DataError } from '../../base/errors.ts';

/** Longest grapheme, in bytes, that the Rust library looks up whole. */
const LONGEST_GRAPHEME = 5;

/** @param charsmap base64. @throws DataError when the table is damaged */
export function precompiledNormalizer(charsmap: string, where: string): (text: string) => string {
  const damaged = (cause?: unknown) =>
    new DataError(`${where}.precompiled_charsmap is damaged: restore the file from a copy.`, { cause });
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(charsmap), (character) => character.charCodeAt(0));
  } catch (error) {
    throw damaged(error);
  }
  const trieBytes = bytes.length < 4 ? -1 : new DataView(bytes.buffer).getUint32(0, true);
  if (trieBytes < 4 || trieBytes % 4 !== 0 || 4 + trieBytes > bytes.length) throw damaged();
  const trie = new Uint32Array(bytes.slice(4, 4 + trieBytes).buffer);
  const texts = bytes.subarray(4 + trieBytes);
  const encoder = new TextEncoder();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

  /**
   * What the shortest prefix in the table becomes, as the Rust library has it; undefined where no prefix is in the
   * table.
   */
  const replacement = (key: Uint8Array): string | undefined => {
    let place = offsetOf(trie[0]!);
    for (const byte of key) {
      if (byte === 0) return undefined;
      place ^= byte;
      const unit = trie[place] ?? 0;
      if ((unit & 0x800000ff) >>> 0 !== byte) return undefined;
      place ^= offsetOf(unit);
      if ((unit >>> 8) & 1) {
        const start = (trie[place] ?? 0) & 0x7fffffff;
        const end = texts.indexOf(0, start);
        return decoder.decode(texts.subarray(start, end === -1 ? texts.length : end));
      }
    }
    return undefined;
  };
  const known = new Map<string, string | undefined>();
  const lookUp = (text: string): string | undefined => {
    if (known.has(text)) return known.get(text);
    const key = encoder.encode(text);
    const found = replacement(key);
    if (known.size > 10_000) known.clear();
    known.set(text, found);
    return found;
  };
  return (text) => {
    let normalized = '';
    for (const { segment } of graphemes.segment(text)) {
      const whole = encoder.encode(segment).length <= LONGEST_GRAPHEME ? lookUp(segment) : undefined;
      if (whole === undefined) for (const character of segment) normalized += lookUp(character) ?? character;
      else normalized += whole;
    }
    return normalized;
  };
}

/** Where a node's children begin, relative to the node. */
function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
