import type { Pauses } from '../../base/event-loop.ts';
import { PRE_TOKEN_PATTERN } from '../byte-level/byte-level.ts';
import { countTexts } from './count-texts.ts';

/**
 * How often each pre-token occurs in texts, in the order of first occurrence. `specials` are left out, and no pre-token
 * spans one.
 */
export async function countPreTokens(
  texts: Iterable<string> | AsyncIterable<string>,
  specials: readonly string[],
  pauses: Pauses,
): Promise<Map<string, number>> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const encoder = new TextEncoder();
  const counts = new Map<string, number>();
  const add = (text: string) => {
    for (const piece of text.match(PRE_TOKEN_PATTERN) ?? []) {
      const count = counts.get(piece);
      // A copy, because a substring would keep the whole text alive.
      if (count === undefined) counts.set(decoder.decode(encoder.encode(piece)), 1);
      else counts.set(piece, count + 1);
    }
  };
  await countTexts(texts, specials, pauses, add);
  return counts;
}
