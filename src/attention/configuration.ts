import { z } from 'zod';
import { projectionKinds } from '../features/projection.ts';

/** Exact softmax attention, O(length²). */
export const exactConfiguration = z.strictObject({ type: z.literal('exact') });

/** FAVOR+ attention, O(length). */
export const favorConfiguration = z.strictObject({
  type: z.literal('favor'),
  /** m, the number of random features. Paper: 256. */
  numFeatures: z.int().min(1).default(256),
  /** How the rows of a projection are drawn together. */
  projection: z.enum(projectionKinds).default('orthogonal'),
  /**
   * Training steps between redraws of the projections; 0 = never. The paper redraws "periodically" without a number;
   * its authors' code leaves it to the user. 1,000 is what later implementations settled on.
   */
  redrawInterval: z.int().min(0).default(1000),
});

/** The `attention` of a model: a value, not a class. */
export const attentionConfiguration = z.discriminatedUnion('type', [favorConfiguration, exactConfiguration]);

export type ExactConfiguration = z.infer<typeof exactConfiguration>;
export type FavorConfiguration = z.infer<typeof favorConfiguration>;
export type AttentionConfiguration = z.infer<typeof attentionConfiguration>;
