import { checkArguments, elementsOf, option } from '../base/options.ts';

/** Longest stretch, in UTF-16 units, without a place to cut; see {@link segments}. */
const LONGEST_STRETCH = 1 << 22;

/** Unicode's white space beyond ASCII. */
const WIDE_SPACES: ReadonlySet<number> = new Set([
  0x85, 0xa0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a, 0x2028,
  0x2029, 0x202f, 0x205f, 0x3000,
]);

/** Pieces are about this long, in UTF-16 units, where the text allows. */
const SHORTEST_SEGMENT = 1 << 16;

/**
 * Joins and cuts chunks of text at places where no token can cross: before white space that follows something else. The
 * ids of the pieces are therefore the ids of the whole. A stretch of 4 Mi UTF-16 units without a place like that is cut
 * all the same, between two characters. How the text came in chunks changes nothing.
 */
export async function* segments(chunks: Iterable<string> | AsyncIterable<string>): AsyncGenerator<string> {
  let pending = '';
  for await (const chunk of elementsOf('segments', 'chunks', chunks, option.string)) {
    pending += chunk;
    if (pending.length < SHORTEST_SEGMENT) continue;
    let cut = 0;
    for (const next of cuts(pending)) {
      yield pending.slice(cut, next);
      cut = next;
    }
    pending = pending.slice(cut);
  }
  if (pending.length > 0) yield pending;
}

/** The same for a whole text. */
export function* segmentsOf(text: string): Generator<string> {
  checkArguments('segmentsOf', { text }, { text: option.string });
  if (text.length <= 2 * SHORTEST_SEGMENT) {
    if (text.length > 0) yield text;
    return;
  }
  let cut = 0;
  for (const next of cuts(text)) {
    yield text.slice(cut, next);
    cut = next;
  }
  if (cut < text.length) yield text.slice(cut);
}

/** Places to cut, ascending; what follows the last may still be continued. */
function* cuts(text: string): Generator<number> {
  let start = 0;
  let last = 0;
  let wasSpace = true;
  for (let i = 0; i < text.length; i++) {
    const isSpace = isWhiteSpace(text.charCodeAt(i));
    if (isSpace && !wasSpace) {
      last = i;
      if (last - start >= SHORTEST_SEGMENT) {
        yield last;
        start = last;
      }
    } else if (i - last >= LONGEST_STRETCH) {
      if (last > start) yield last;
      const splitsPair = isHigh(text.charCodeAt(i - 1)) && isLow(text.charCodeAt(i));
      last = splitsPair ? i - 1 : i;
      yield last;
      start = last;
    }
    wasSpace = isSpace;
  }
  if (last > start) yield last;
}

function isWhiteSpace(unit: number): boolean {
  if (unit <= 32) return unit === 32 || (unit >= 9 && unit <= 13);
  return unit >= 0x85 && WIDE_SPACES.has(unit);
}

const isHigh = (unit: number) => (unit & 0xfc00) === 0xd800;
const isLow = (unit: number) => (unit & 0xfc00) === 0xdc00;
