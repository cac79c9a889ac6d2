import { ConfigurationError } from '../../base/errors.ts';
import { Pauses } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import { type SpecialTokenOptions, specialKinds, specialTexts, specialTokensFrom } from '../added-tokens.ts';
import { CharacterTokenizer } from '../characters.ts';
import { countTexts } from './count-texts.ts';

export interface TrainCharactersOptions extends SpecialTokenOptions {
  /**
   * Most ids, the unknown and the special tokens included: of the characters the most frequent are kept, of equally
   * frequent ones the smaller. Default: all.
   */
  vocabSize?: number;
  /** Stops the work: its reason is thrown. */
  signal?: AbortSignal | undefined;
}

/** Stands for every character that the vocabulary lacks, as in what decoders make of broken UTF-8. */
const UNKNOWN = '\ufffd';

/**
 * A tokenizer whose vocabulary is the characters of `texts`. Id 0 is U+FFFD, which stands for any other character; the
 * characters follow in the order of Unicode, then the special tokens. The same characters give the same tokenizer. Hand a
 * stream over as `segments(stream)`, or a character could be cut in two.
 *
 * @throws ConfigurationError if vocabSize is out of range
 */
export async function trainCharacters(
  texts: Iterable<string> | AsyncIterable<string>,
  options: TrainCharactersOptions = {},
): Promise<CharacterTokenizer> {
  checkArguments('trainCharacters', { texts }, { texts: option.iterable });
  checkOptions<TrainCharactersOptions>('trainCharacters', options, {
    vocabSize: option.number,
    ...specialKinds,
    signal: option.signal,
  });
  const { vocabSize } = options;
  const specials = specialTexts(options);
  const smallest = 1 + specials.length;
  if (vocabSize !== undefined && (!Number.isInteger(vocabSize) || vocabSize < smallest)) {
    throw new ConfigurationError(`vocabSize is ${vocabSize}; use an integer of at least ${smallest}, or leave it out.`);
  }
  const counts = await countCharacters(texts, specials, new Pauses(options.signal));
  const kept = [...counts]
    .sort(([a, countA], [b, countB]) => countB - countA || a - b)
    .slice(0, vocabSize === undefined ? counts.size : vocabSize - smallest)
    .map(([code]) => code)
    .sort((a, b) => a - b);
  const characters = [UNKNOWN, ...kept.map((code) => String.fromCodePoint(code))];
  const added = specialTokensFrom(characters.length, specials);
  return new CharacterTokenizer({ tokens: [...characters, ...specials], unknown: 0, added });
}

async function countCharacters(
  texts: Iterable<string> | AsyncIterable<string>,
  specials: readonly string[],
  pauses: Pauses,
): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  const add = (text: string) => {
    for (let i = 0; i < text.length; i++) {
      const code = text.codePointAt(i)!;
      if (code > 0xffff) i++;
      // A lone surrogate and U+FFFD are the unknown character.
      else if ((code >= 0xd800 && code < 0xe000) || code === 0xfffd) continue;
      counts.set(code, (counts.get(code) ?? 0) + 1);
    }
  };
  await countTexts(texts, specials, pauses, add);
  return counts;
}
