import { ConfigurationError } from '../../base/errors.ts';
import { checkArguments, checkOptions, type OptionKind, option } from '../../base/options.ts';
import { type SpecialTokenOptions, specialKinds, specialTexts } from '../added-tokens.ts';

/** What the training of every vocabulary of subwords may be given. */
export interface SubwordTrainingOptions extends SpecialTokenOptions {
  /** Ids wanted, the 256 bytes and the special tokens included. */
  vocabSize: number;
  /** Called every so often with the number of merges found and wanted (BPE), or of tokens left and wanted (unigram). */
  onProgress?: (found: number, wanted: number) => void;
  /** Stops the work between two of its steps: its reason is thrown. */
  signal?: AbortSignal | undefined;
}

/** The kinds of the options that one training has alone. */
type OwnKinds<Options extends SubwordTrainingOptions> = {
  readonly [Key in Exclude<keyof Options, keyof SubwordTrainingOptions>]-?: OptionKind;
};

/** Checks what a training is called with, and gives the texts of the special tokens wanted. */
export function checkSubwordTraining<Options extends SubwordTrainingOptions>(
  name: string,
  texts: Iterable<string> | AsyncIterable<string>,
  options: Options,
  own: OwnKinds<Options>,
): string[] {
  checkArguments(name, { texts, options }, { texts: option.iterable, options: option.object });
  const kinds: Record<string, OptionKind> = { vocabSize: option.number, ...own, onProgress: option.function };
  checkOptions(name, options, { ...kinds, ...specialKinds, signal: option.signal });
  const specials = specialTexts(options);
  checkInteger('vocabSize', options.vocabSize, 256 + specials.length, 1 << 24);
  return specials;
}

export function checkInteger(name: string, value: number, smallest: number, largest: number): void {
  if (!Number.isInteger(value) || value < smallest || value > largest) {
    throw new ConfigurationError(`${name} is ${value}; use an integer from ${smallest} to ${largest}.`);
  }
}
