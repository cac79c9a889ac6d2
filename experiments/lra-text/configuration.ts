import { z } from 'zod';
import { attentionContestant, contestTraining, modelSizes } from '../contests/language-contest.ts';

export const lraTextSchema = z.strictObject({
  data: z.discriminatedUnion('type', [
    /** A folder of books, a class each: passages of `length` bytes, the last `heldOut` of every book for the test. */
    z.strictObject({ type: z.literal('books'), folder: z.string(), heldOut: z.number().gt(0).lt(1) }),
    /** Folders with a folder of texts for each class, such as IMDb's train and test. */
    z.strictObject({ type: z.literal('folders'), train: z.string(), test: z.string() }),
  ]),
  model: modelSizes,
  training: contestTraining,
  contestants: z.array(attentionContestant).min(1),
});

export type LraTextConfiguration = z.output<typeof lraTextSchema>;
