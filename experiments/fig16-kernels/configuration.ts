import { z } from 'zod';
import { proteinContest } from '../contests/language-contest.ts';

export const fig16Schema = z.strictObject({
  ...proteinContest,
  /** Functions f of the generalised feature map. */
  kernels: z.array(z.string()).min(1),
  numFeatures: z.int().min(1),
  projection: z.enum(['none', 'orthogonal', 'gaussian']),
  /** Added to every feature. */
  epsilon: z.number().min(0),
});

export type Fig16Configuration = z.output<typeof fig16Schema>;
