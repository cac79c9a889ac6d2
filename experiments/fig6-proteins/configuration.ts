import { z } from 'zod';
import { attentionContestant, contestTraining, modelSizes } from '../contests/language-contest.ts';

const share = z.number().gt(0).lt(1);

export const fig6Schema = z.strictObject({
  /** FASTA file, plain or compressed. */
  data: z.string(),
  /** Held out: whole organisms, and of the others single records. */
  split: z.strictObject({ organisms: share, records: share, seed: z.int().min(0) }),
  model: modelSizes,
  training: contestTraining,
  /** U: next residue. B: hidden residues. */
  contestants: z.array(attentionContestant.extend({ directions: z.array(z.enum(['U', 'B'])).min(1) })).min(1),
});

export type Fig6Configuration = z.output<typeof fig6Schema>;
