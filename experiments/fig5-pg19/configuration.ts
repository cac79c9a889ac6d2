import { z } from 'zod';
import { attentionContestant, contestTraining, modelSizes } from '../contests/language-contest.ts';

/** One plot: models that are trained alike. */
const panel = z.strictObject({
  title: z.string(),
  /** U: the next token. B: hidden tokens, from both sides. */
  direction: z.enum(['U', 'B']),
  training: contestTraining,
  /** Where ranges of positions end for which the loss is told apart, ascending. */
  positionEnds: z.array(z.int().min(1)),
  /** Models; the others are compared with the first. */
  contestants: z.array(attentionContestant).min(1),
});

export const fig5Schema = z.strictObject({
  /** Folder of books as text, plain or compressed. */
  data: z.string(),
  /** Share of the books that is held out, whole books. */
  heldOut: z.number().gt(0).lt(1),
  /** Size of the unigram tokenizer. */
  vocabSize: z.int().min(300),
  /** Seed of the split. */
  seed: z.int().min(0),
  model: modelSizes,
  panels: z.array(panel).min(1),
});

export type Fig5Configuration = z.output<typeof fig5Schema>;
