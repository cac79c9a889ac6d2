import { z } from 'zod';
import { attentionContestant, proteinContest } from '../contests/language-contest.ts';

export const fig6Schema = z.strictObject({
  ...proteinContest,
  /** U: next residue. B: hidden residues. */
  contestants: z.array(attentionContestant.extend({ directions: z.array(z.enum(['U', 'B'])).min(1) })).min(1),
});

export type Fig6Configuration = z.output<typeof fig6Schema>;
