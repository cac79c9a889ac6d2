import { z } from 'zod';
import { contestTraining, modelSizes } from '../contests/language-contest.ts';

const share = z.number().gt(0).lt(1);

export const fig16Schema = z.strictObject({
  /** FASTA file, plain or compressed. */
  data: z.string(),
  split: z.strictObject({ organisms: share, records: share, seed: z.int().min(0) }),
  model: modelSizes,
  training: contestTraining,
  /** Functions f of the generalised feature map. */
  kernels: z.array(z.string()).min(1),
  numFeatures: z.int().min(1),
  projection: z.enum(['none', 'orthogonal', 'gaussian']),
  /** Added to every feature. */
  epsilon: z.number().min(0),
});

export type Fig16Configuration = z.output<typeof fig16Schema>;
