import { z } from 'zod';
import { attentionContestant, contestTraining, modelSizes } from '../contests/language-contest.ts';

const count = z.int().min(1);

export const listOpsSchema = z.strictObject({
  /** Expressions to train on and to test. */
  numTraining: count,
  numTest: count,
  /** Symbols of an expression. */
  minLength: count,
  maxLength: count,
  maxDepth: count,
  maxArguments: count,
  model: modelSizes,
  training: contestTraining,
  contestants: z.array(attentionContestant).min(1),
});

export type ListOpsConfiguration = z.output<typeof listOpsSchema>;
