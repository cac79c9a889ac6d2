/** Texts with classes, as rows of batches for a classifier. */

import { DataError } from '../../base/errors.ts';
import { checkArguments, option } from '../../base/options.ts';
import { type TokenSplit, tokenSplitKind } from '../tokens/token-store.ts';
import { evaluationSequences, trainingSequences } from './sequences.ts';
import type { EvaluationWindows, TrainingWindows } from './windows.ts';

export interface LabelledBatchOptions {
  /** Rows of a batch. */
  readonly batchSize: number;
  /** Positions of a row: longer texts are cut at the end, shorter ones padded. */
  readonly length: number;
  /** Id put before every text, such as an id that the classifier reads from. Default: undefined, no id. */
  readonly begin?: number | undefined;
  /** Input at positions without a token, which segment −1 marks. Default 0. */
  readonly padding?: number | undefined;
}

/**
 * Batches of texts in random order, each text once in an epoch. `targets` is `[batchSize]`, one class for each row;
 * `segments` are 0 on the text and −1 behind it. Batch number `step` depends on the step and the seed alone.
 *
 * @throws DataError if the texts have no classes, or a size is not a positive integer
 */
export function trainingExamples(
  tokens: TokenSplit,
  options: LabelledBatchOptions & { readonly seed: number },
): TrainingWindows {
  checkArguments('trainingExamples', { tokens, options }, { tokens: tokenSplitKind, options: option.object });
  return trainingSequences(tokens, { ...options, packing: 'pad', classes: classesOf(tokens) });
}

/** Batches of all texts in their order, each once; the last batch may have fewer rows. @throws as {@link trainingExamples} */
export function evaluationExamples(tokens: TokenSplit, options: LabelledBatchOptions): EvaluationWindows {
  checkArguments('evaluationExamples', { tokens, options }, { tokens: tokenSplitKind, options: option.object });
  return evaluationSequences(tokens, { ...options, packing: 'pad', classes: classesOf(tokens) });
}

function classesOf({ labels, length }: TokenSplit): readonly number[] {
  if (labels !== undefined) return labels;
  throw new DataError(
    length === 0 ? 'There is no text to classify; give at least one.' : 'The texts have no classes; give each a label.',
  );
}
