import {
  type Batch,
  type EvaluationWindows,
  evaluationWindows,
  type HeldOutData,
  Masking,
  maskedEvaluation,
  maskedTraining,
  type TokenSplit,
  type TrainingData,
  trainingWindows,
} from '../src/node.ts';

/** U: predict the next token from those before it. B: predict hidden tokens from both sides. */
export type Direction = 'U' | 'B';

export interface LanguageOptions {
  readonly direction: Direction;
  readonly batchSize: number;
  readonly length: number;
  readonly vocabSize: number;
  /** For B. */
  readonly mask: number | undefined;
  /** For B: never hidden. */
  readonly specials: Iterable<number>;
  readonly seed: number;
}

/** Hides 15 % of the tokens, as in BERT. */
function maskingOf({ mask, vocabSize, specials, seed }: LanguageOptions): Masking {
  if (mask === undefined) throw new Error('Masked training needs a tokenizer with a mask token: use another one.');
  return new Masking({ mask, vocabSize, specials, seed });
}

/** Windows of a stream of tokens for either direction. */
export function trainingData(tokens: TokenSplit, options: LanguageOptions): TrainingData {
  const { direction, batchSize, length, seed } = options;
  if (direction === 'U') return trainingWindows(tokens, { batchSize, length, seed });
  return maskedTraining(trainingWindows(tokens, { batchSize, length, seed, targets: 'itself' }), maskingOf(options));
}

/**
 * `numBatches` batches spread evenly over the tokens (all, if there are fewer); hidden tokens are the same each time.
 */
export function heldOutBatches(tokens: TokenSplit, options: LanguageOptions, numBatches: number): HeldOutData {
  const { direction, batchSize, length } = options;
  const targets = direction === 'U' ? 'following' : 'itself';
  const windows = evaluationWindows(tokens, { batchSize, length, targets });
  const shown = direction === 'U' ? windows : maskedEvaluation(windows, maskingOf(options), batchSize);
  return { batches: () => spread(shown, numBatches) };
}

async function* spread(
  windows: Pick<EvaluationWindows, 'numBatches' | 'batchAt'>,
  count: number,
): AsyncGenerator<Batch, void, undefined> {
  const number = Math.min(count, windows.numBatches);
  for (let i = 0; i < number; i++) yield await windows.batchAt(Math.floor((i * windows.numBatches) / number));
}
