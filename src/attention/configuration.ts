import { featureConfiguration } from '../features/configuration.ts';
import { z } from '../tensor/zod.ts';

/** The `attention` of a model: a value, not a class. */
export const attentionConfiguration = z.lazy(() => {
  /**
   * Training steps between redraws of the projections; 0 = never. The paper redraws "periodically" without a number;
   * its authors' code leaves it to the user. 1,000 is what later implementations settled on.
   */
  const redrawInterval = z._default(z.int().check(z.minimum(0)), 1000);
  return z.discriminatedUnion('type', [
    /** FAVOR+ attention, O(length). */
    z.extend(featureConfiguration, {
      type: z.literal('favor'),
      redrawInterval,
      /** Rows of attention are divided by their sums. */
      normalised: z._default(z.boolean(), true),
    }),
    /** Exact softmax attention, O(length²). */
    z.strictObject({ type: z.literal('exact') }),
    /** Exact attention for short sequences, FAVOR+ for long ones. */
    z
      .extend(featureConfiguration, {
        type: z.literal('auto'),
        redrawInterval,
        /** First length that FAVOR+ takes. Default: where it becomes faster on the backend, so that models move with it. */
        crossover: z.optional(z.int().check(z.minimum(0))),
      })
      .check(
        z.refine(({ featureMap }) => featureMap.type !== 'generalised', {
          path: ['featureMap'],
          error: 'auto needs an estimate of the softmax kernel, such as positive; use type favor for generalised maps',
        }),
      ),
    /** Returns the values: the bar "X" of the paper's Figure 3, a bound on the speed of any attention and no model. */
    z.strictObject({ type: z.literal('identity') }),
  ]);
});

export type AttentionConfiguration = z.infer<typeof attentionConfiguration>;
export type ExactConfiguration = Extract<AttentionConfiguration, { type: 'exact' }>;
export type FavorConfiguration = Extract<AttentionConfiguration, { type: 'favor' }>;
export type AutoConfiguration = Extract<AttentionConfiguration, { type: 'auto' }>;
/** A configuration before its defaults are filled in. */
export type AttentionOptions = z.input<typeof attentionConfiguration>;
