import type { Pauses } from '../../base/event-loop.ts';
import { elementsOf, option } from '../../base/options.ts';
import { patternOf } from '../added-tokens.ts';
import { segmentsOf } from '../text-segments.ts';

/** Hands the texts to `count` in segments. `specials` are left out, and no segment spans one. */
export async function countTexts(
  texts: Iterable<string> | AsyncIterable<string>,
  specials: readonly string[],
  pauses: Pauses,
  count: (segment: string) => void,
): Promise<void> {
  const separator = specials.length > 0 ? patternOf(specials) : undefined;
  for await (const text of elementsOf('the training of a tokenizer', 'texts', texts, option.string)) {
    for (const section of separator ? text.split(separator) : [text]) {
      for (const segment of segmentsOf(section)) {
        await pauses.next();
        count(segment);
      }
    }
  }
}
