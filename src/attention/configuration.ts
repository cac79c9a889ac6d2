import { MAX_BLOCK } from '../backend/types.ts';
import { ConfigurationError } from '../base/errors.ts';
import { parseConfiguration } from '../base/parse-configuration.ts';
import { removedOption } from '../base/removed-option.ts';
import { z } from '../base/zod.ts';
import { featureSchema } from '../features/configuration.ts';

/** Which keys a query sees exactly. */
export const nearFieldSchema = z.strictObject({
  /** Positions in a block, counted from a sequence's first. The keys of a query's own and neighbouring blocks are near. */
  block: z._default(z.int().check(z.minimum(1), z.maximum(MAX_BLOCK)), 64),
  /** The first keys of a sequence, which are near every query. */
  sinks: z._default(z.int().check(z.minimum(0), z.maximum(MAX_BLOCK)), 0),
  /**
   * How much the near field weighs beside the far field. `kernel`: as its kernel values say; the far field's estimate is
   * multiplied by a gain that is trained for every head. `features`: as the features estimate the kernel values, so that
   * both fall short alike where kernel values are large.
   */
  mass: z._default(z.enum(['kernel', 'features']), 'kernel'),
  /** `features`: far keys count as FAVOR+ estimates them. `none`: only near keys count, as in a sliding window. */
  far: z._default(z.enum(['features', 'none']), 'features'),
});

export type NearFieldConfiguration = z.infer<typeof nearFieldSchema>;

const needsSoftmaxMap = z.refine<{ nearField: unknown; featureMap: { type: string } }>(
  ({ nearField, featureMap }) => nearField === null || !['trigonometric', 'generalised'].includes(featureMap.type),
  {
    path: ['nearField'],
    error:
      'a near field needs a map that estimates the softmax kernel by exponentials: positive, hyperbolic, smreg or favor++',
  },
);

/** The `attention` of a model: a value, not a class. */
export const attentionSchema = z.lazy(() => {
  const size = z.int().check(z.minimum(1));
  /**
   * Training steps between redraws of the projections; 0 = never. The paper redraws "periodically" without a number;
   * its authors' code leaves the number to the user. Later implementations settled on 1,000, rare enough to cost
   * nothing: drawing 256 orthogonal features of 64 takes 6 ms a layer, 6 µs a step. Runs of a few hundred steps want
   * less, or they see one draw only (Figure 5 here takes 50).
   */
  const redrawInterval = z._default(z.int().check(z.minimum(0)), 1000);
  /** Exact attention to near keys beside the estimate of the far ones; null: an estimate of all keys. */
  const nearField = z._default(z.nullable(nearFieldSchema), null);
  return z.discriminatedUnion('type', [
    /** FAVOR+ attention, O(length). */
    z
      .extend(featureSchema, {
        type: z.literal('favor'),
        redrawInterval,
        /** Rows of attention are divided by their sums. */
        normalised: z._default(z.boolean(), true),
        nearField,
      })
      .check(
        needsSoftmaxMap,
        z.refine(({ nearField, normalised }) => nearField === null || normalised, {
          path: ['normalised'],
          error: 'a near field needs rows that are divided by their sums; leave out normalised, or use nearField: null',
        }),
      ),
    /** Exact softmax attention, O(length²). */
    z.strictObject({ type: z.literal('exact') }),
    /** Exact attention for short sequences, FAVOR+ for long ones. */
    z
      .extend(featureSchema, {
        type: z.literal('auto'),
        redrawInterval,
        /** First length that FAVOR+ takes. Default: where it becomes faster on the backend, so that models move with it. */
        crossover: z.optional(z.int().check(z.minimum(0))),
        nearField,
      })
      .check(
        needsSoftmaxMap,
        z.refine(({ featureMap }) => featureMap.type !== 'generalised', {
          path: ['featureMap'],
          error: 'auto needs an estimate of the softmax kernel, such as positive; use type favor for generalised maps',
        }),
      ),
    /** The Reformer's LSH attention, O(length): queries serve as keys, and hashing finds near keys. */
    z.strictObject({
      type: z.literal('lsh'),
      /** Rounds of hashing: keys are missed less often, time grows in proportion. */
      numHashes: z._default(size, 4),
      /** Positions that attend to each other, and to as many before them, in each round. */
      chunkLength: z._default(size, 64),
      /** Most buckets of a round: long sequences have fewer than one for each chunk. */
      maxBuckets: z._default(size.check(z.multipleOf(2)), 128),
      /** Training steps between redraws of the rotations; 0 = never. */
      redrawInterval: z._default(z.int().check(z.minimum(0)), 1),
    }),
    /** Linformer, O(length): exact attention to mixtures of positions; bidirectional, up to the model's maxLength. */
    z.strictObject({
      type: z.literal('linformer'),
      /** Mixtures of keys and of values (the paper's k), the same for all heads of a layer. */
      projectedLength: z._default(size, 256),
      sharing: removedOption('heads', 'leave out the key, as the heads of a layer share one pair of projections'),
      /** Trained, or random and redrawn, as in the Performer paper's comparison. */
      projections: z._default(z.enum(['learned', 'random']), 'learned'),
      /** Has no meaning for learned projections. */
      redrawInterval,
    }),
  ]);
});

export type AttentionConfiguration = z.infer<typeof attentionSchema>;
export type AutoConfiguration = Extract<AttentionConfiguration, { type: 'auto' }>;
export type LshConfiguration = Extract<AttentionConfiguration, { type: 'lsh' }>;
export type LinformerConfiguration = Extract<AttentionConfiguration, { type: 'linformer' }>;
/** A configuration before its defaults are filled in. */
export type AttentionOptions = z.input<typeof attentionSchema>;

/** A configuration of one type of attention, complete. @throws ConfigurationError for another type, as for anything else */
export function parseAttention<Type extends AttentionConfiguration['type']>(
  type: Type,
  value: unknown,
  where: string,
): Extract<AttentionConfiguration, { type: Type }> {
  const configuration = parseConfiguration(attentionSchema, value, `the configuration of ${where}`);
  if (configuration.type === type) return configuration as Extract<AttentionConfiguration, { type: Type }>;
  throw new ConfigurationError(
    `${where} is not for attention of type ${configuration.type}: give one of type ${type}.`,
  );
}
