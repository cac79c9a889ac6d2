import { z } from 'zod';
import { featureConfiguration } from '../features/configuration.ts';

/** Exact softmax attention, O(length²). */
export const exactConfiguration = z.strictObject({ type: z.literal('exact') });

/** FAVOR+ attention, O(length). */
export const favorConfiguration = featureConfiguration.extend({
  type: z.literal('favor'),
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
