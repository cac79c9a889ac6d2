import { z } from 'zod';

const count = z.int().min(2);
const dHeads = z.array(count).min(1);
const positive = z.number().positive();
const squaredSums = z.array(positive).min(1);

export const theoremsSchema = z.strictObject({
  /** SMREG against SM. */
  regularised: z.strictObject({
    dHeads,
    /** ‖x + y‖², on which the ratio alone depends. */
    squaredSums,
    /** Largest dHead whose ratio is also measured. */
    measuredUpTo: z.int().min(0),
    /** Features of each measurement. */
    numFeatures: count,
  }),
  /** Orthogonal against independent directions, m = dHead; estimates are made of `directions` directions in all. */
  orthogonal: z.strictObject({ dHeads, squaredSums, squaredDifference: positive, directions: count }),
  /** The largest error over all pairs of L points. */
  uniform: z.strictObject({
    dHeads,
    /** L, ascending. */
    lengths: z.array(count).min(2),
    /** Length of the points, scaled by dHead^(−1/4). */
    radius: positive,
    /** ε: the largest error allowed. */
    error: positive,
    /** Largest m tried. */
    maxDirections: z.int().min(16),
    draws: count,
  }),
  seed: z.int().min(0),
});

export type TheoremsConfiguration = z.output<typeof theoremsSchema>;
