import type { TokenSplit } from '../../src/data/tokens/token-store.ts';

/** Documents of the given tokens, one after the other. */
export function splitOf(documents: readonly (readonly number[])[]): TokenSplit {
  const tokens = Int32Array.from(documents.flat());
  let next = 0;
  const starts = documents.map((document) => {
    const start = next;
    next += document.length;
    return start;
  });
  return {
    length: tokens.length,
    characters: tokens.length,
    bytes: tokens.length,
    documents: starts,
    read: async (offset, count) => {
      if (offset < 0 || offset + count > tokens.length) throw new RangeError('outside');
      return tokens.slice(offset, offset + count);
    },
  };
}

/** Documents of the given lengths; token 1000·d + i is the i-th of document d. */
export function numbered(lengths: readonly number[]): TokenSplit {
  return splitOf(lengths.map((length, d) => Array.from({ length }, (_, i) => 1000 * d + i)));
}
