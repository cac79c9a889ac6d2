/** What a run's batches are made of, told apart by parts, so that a resumed run can say which of them differ. */

import { checkArguments, option } from '../base/options.ts';
import { fingerprintOf } from '../data/tokens/fingerprint.ts';
import type { TokenizedDataset } from '../data/tokens/token-file.ts';

/** Checksums by part, or one text for all. */
export type DataFingerprint = string | Readonly<Record<string, string>>;

/**
 * The fingerprint of tokenised training data, whose rows follow the boundaries of documents and, for classification, their
 * labels.
 *
 * @param classNames of the labels; for classification alone
 */
export function dataFingerprint(
  tokens: Pick<TokenizedDataset, 'fingerprint' | 'train'>,
  classNames?: readonly string[],
): DataFingerprint {
  checkArguments(
    'dataFingerprint',
    { tokens, classNames },
    {
      tokens: option.having('tokenised texts with a fingerprint', {
        fingerprint: option.string,
        train: option.having('its training part', {
          documents: option.listOf(option.number),
          labels: option.optional(option.listOf(option.number)),
        }),
      }),
      classNames: option.optional(option.strings),
    },
  );
  const { fingerprint, train } = tokens;
  const parts = { tokens: fingerprint, documents: hashOf(train.documents) };
  return classNames ? { ...parts, classes: classNames.join(' '), labels: hashOf(train.labels ?? []) } : parts;
}

/**
 * The parts that differ; `data` where they cannot be told apart. Runs of the first release have one text, the tokens and
 * the names of the classes, and are held to that.
 */
export function changedParts(before: DataFingerprint, now: DataFingerprint): string[] {
  if (typeof before === 'object' && typeof now === 'object') {
    return [...new Set([...Object.keys(before), ...Object.keys(now)])].filter((part) => before[part] !== now[part]);
  }
  const [first, second] = [before, now].map((each) =>
    typeof each === 'string' ? each : [each.tokens, each.classes].filter((part) => part !== undefined).join(' '),
  );
  return first === second ? [] : ['data'];
}

const hashOf = (numbers: readonly number[]) => fingerprintOf(Float64Array.from(numbers));
