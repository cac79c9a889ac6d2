import type { Batch, EvaluationWindows, TokenSplit } from '../../src/entries/data.ts';
import {
  type HeldOutData,
  heldOutBatches,
  parseTrainingConfiguration,
  type TrainingOptions,
  type Vocabulary,
} from '../../src/entries/training.ts';

/** U: predict the next token from those before it. B: predict hidden tokens, 15 %, from both sides. */
export type Direction = 'U' | 'B';

export const objectives = { U: { type: 'nextToken' }, B: { type: 'maskedToken' } } as const;

/** `numBatches` batches spread evenly over the tokens (all, if there are fewer); hidden tokens are the same each time. */
export function spreadBatches(
  tokens: TokenSplit,
  training: TrainingOptions,
  vocabulary: Vocabulary,
  numBatches: number,
): HeldOutData {
  const configuration = parseTrainingConfiguration(training);
  return spread(heldOutBatches(tokens, configuration, vocabulary, configuration.batchSize), numBatches);
}

export function spread(windows: Pick<EvaluationWindows, 'numBatches' | 'batchAt'>, numBatches: number): HeldOutData {
  const count = Math.min(numBatches, windows.numBatches);
  return {
    batches: async function* (): AsyncGenerator<Batch, void, undefined> {
      for (let i = 0; i < count; i++) yield await windows.batchAt(Math.floor((i * windows.numBatches) / count));
    },
  };
}
