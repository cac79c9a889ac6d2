import { z } from 'zod';
import { attentionContestant, contestTraining, modelSizes } from '../contests/language-contest.ts';

export const fig5Schema = z.strictObject({
  /** Folder of books as text, plain or compressed. */
  data: z.string(),
  /** Share of the books that is held out, whole books. */
  heldOut: z.number().gt(0).lt(1),
  /** Size of the unigram tokenizer. */
  vocabSize: z.int().min(300),
  model: modelSizes,
  training: contestTraining,
  contestants: z.array(attentionContestant).min(1),
});

export type Fig5Configuration = z.output<typeof fig5Schema>;
