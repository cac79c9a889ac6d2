import { featureMapKinds } from '../backend/types.ts';
import { z } from '../base/zod.ts';
import { projectionKinds } from './projection.ts';
import { normKinds } from './projections/projection.ts';

/** Functions f of the generalised feature map: all of the kernels' maps but `exponential` and `sine`. */
export const [, , ...activations] = featureMapKinds;

/** Authors' default. */
const stabiliser = z._default(z.number().check(z.minimum(0)), 1e-6);

const featureMap = z.discriminatedUnion('type', [
  /** exp(ωᵀx − ‖x‖²/2): unbiased for the softmax kernel, positive (paper Lemma 1). */
  z.strictObject({ type: z.literal('positive') }),
  /** exp(±ωᵀx − ‖x‖²/2)/√2: unbiased, positive, of lower variance for each ω (paper Lemma 1). */
  z.strictObject({ type: z.literal('hyperbolic') }),
  /** The positive map over ω of length √dHead: the regularised softmax kernel, a little below it (paper Theorem 1). */
  z.strictObject({ type: z.literal('smreg') }),
  /** exp(‖x‖²/2)·(sin ωᵀx, cos ωᵀx): unbiased, may be negative. */
  z.strictObject({ type: z.literal('trigonometric'), stabiliser }),
  /** Optimal positive features (FAVOR++): p is the mean of ‖x + y‖²/dHead over scaled queries and keys. */
  z.strictObject({ type: z.literal('favor++'), p: z.number().check(z.minimum(0)) }),
  /** f(ωᵀx) + epsilon: a kernel of its own. Paper and authors: ReLU, 1e-3. */
  z.strictObject({
    type: z.literal('generalised'),
    activation: z._default(z.enum(activations), 'relu'),
    epsilon: z._default(z.number().check(z.minimum(0)), 1e-3),
    stabiliser,
    /** Whether x is scaled by dHead^(−1/4), as for softmax. Paper: true. The authors' code: false. */
    scaleInputs: z._default(z.boolean(), true),
  }),
]);

/** Names that stand for a map with its defaults: `positive`, …, and an activation's name for the generalised map. */
const shorthands = ['positive', 'hyperbolic', 'smreg', 'trigonometric', ...activations] as const;

/** A feature map: an object, or the name of one that needs no parameters. */
const featureMapSchema = z.pipe(
  z.transform((value: FeatureMapName | z.input<typeof featureMap>) => {
    if (typeof value !== 'string') return value;
    const isActivation = (activations as readonly string[]).includes(value);
    return isActivation ? { type: 'generalised', activation: value } : { type: value };
  }),
  featureMap,
);

/** What random features are drawn from. */
export const featureSchema = z.strictObject({
  /** m, the number of features (both halves of hyperbolic and trigonometric ones). Paper: 256. Without a projection: dHead. */
  numFeatures: z._default(z.int().check(z.minimum(1)), 256),
  featureMap: z._default(featureMapSchema, { type: 'positive' }),
  /** How the rows of the projection are drawn together. Default: orthogonal; none for the generalised map, as the authors have it. */
  projection: z.optional(z.enum(projectionKinds)),
  /** Lengths of the rows: as a Gaussian vector's, or all √dHead. Default: gaussian; regularised for smreg. */
  norms: z.optional(z.enum(normKinds)),
});

export type Activation = (typeof activations)[number];
export type FeatureMapConfiguration = z.output<typeof featureMap>;
type FeatureMapName = (typeof shorthands)[number];
export type FeatureConfiguration = z.output<typeof featureSchema>;
/** The same with defaults left out and names in place of maps. */
export type FeatureMapOptions = Partial<Omit<FeatureConfiguration, 'featureMap'>> & {
  readonly featureMap?: FeatureMapName | z.input<typeof featureMap>;
};
