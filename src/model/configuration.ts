import { type AttentionConfiguration, type AttentionOptions, attentionSchema } from '../attention/configuration.ts';
import { type OptionKind, option } from '../base/options.ts';
import { z } from '../base/zod.ts';

/** A type alone stands for its defaults: `"attention": "auto"`. */
export const attentionOrType = () =>
  z.prefault(
    z.pipe(
      z.transform((value: unknown) => (typeof value === 'string' ? { type: value } : value)),
      attentionSchema,
    ),
    { type: 'favor' },
  );

/** What the heads ask of the width of a model. */
export const headChecks = () =>
  [
    z.refine<HeadSizes>(({ dModel, numHeads }) => dModel % numHeads === 0, {
      path: ['numHeads'],
      error: 'numHeads must divide dModel; choose, say, dModel 512 with 8 heads',
    }),
    z.refine<HeadSizes>(({ positions, dModel, numHeads }) => positions !== 'rotary' || (dModel / numHeads) % 2 === 0, {
      path: ['positions'],
      error: 'rotary positions need an even head width dModel/numHeads',
    }),
  ] as const;

interface HeadSizes {
  readonly dModel: number;
  readonly numHeads: number;
  readonly positions: string;
}

/** Everything that determines a Transformer's architecture; `config.json` of a checkpoint. Unknown keys are errors. */
export const transformerSchema = z.lazy(() => {
  const size = z.int().check(z.minimum(1));
  return z
    .strictObject({
      /** Number of token ids; 0 for a model of image patches. */
      vocabSize: z.int().check(z.minimum(0)),
      /** Width of the residual stream. */
      dModel: z._default(size, 512),
      numLayers: z._default(size, 6),
      /** Heads of width dModel/numHeads. */
      numHeads: z._default(size, 8),
      /** Inner width of the feed-forward layers. */
      dFeedForward: z._default(size, 2048),
      /** Longest sequence, in tokens, that learned positions allow; training windows must not be longer. */
      maxLength: z._default(size, 1024),
      positions: z._default(z.enum(['learned', 'sinusoidal', 'rotary', 'none']), 'learned'),
      attention: attentionOrType(),
      /** Layers, counted from 0, that keep exact softmax attention whatever `attention` says. */
      exactLayers: z._default(z.array(z.int().check(z.minimum(0))), []),
      /** Position i sees only positions j ≤ i. */
      causal: z._default(z.boolean(), true),
      activation: z._default(z.enum(['relu', 'gelu', 'geluTanh']), 'gelu'),
      /** Probability of dropping an element while training. Paper: 0.1. */
      dropout: z._default(z.number().check(z.minimum(0), z.lt(1)), 0.1),
      /** Blocks normalise what they read, with one more norm at the end, or, as BERT's, what they give. */
      norm: z._default(z.enum(['pre', 'post']), 'pre'),
      layerNormEpsilon: z._default(z.number().check(z.positive()), 1e-5),
      /** A norm over the embeddings, as in BERT. */
      embeddingNorm: z._default(z.boolean(), false),
      /** Number of token types, such as BERT's first and second sentence; 0 = none. */
      tokenTypes: z._default(z.int().check(z.minimum(0)), 0),
      /** ESM-2: vectors of mask tokens are zero, others scaled by (1 − ratio)/(1 − share of mask tokens). */
      tokenDropout: z.optional(
        z.strictObject({ maskToken: z.int().check(z.minimum(0)), ratio: z.number().check(z.minimum(0), z.lt(1)) }),
      ),
      /** The input is patches of square images, after a class token, in place of tokens (ViT). */
      patches: z.optional(z.strictObject({ imageSize: size, patchSize: size, channels: size })),
      /** Hidden states can be read as logits over tokens. */
      languageHead: z._default(z.boolean(), true),
      /** The output matrix is the transposed token embedding. */
      tiedEmbeddings: z._default(z.boolean(), true),
      /** The language head starts with a linear layer, the activation and a norm, as in BERT. */
      outputTransform: z._default(z.boolean(), false),
      /** The language head adds a number for each token. */
      outputBias: z._default(z.boolean(), false),
      /** BERT's pooler, tanh of a linear layer over the first position: what a classification head then reads. */
      pooler: z._default(z.boolean(), false),
      /** Number of classes of a classification head. Default: none. */
      numClasses: z.optional(z.int().check(z.minimum(2))),
      /** The vector of a whole sequence: the mean over its positions, or the first or last of them. Default: mean. */
      pooling: z.optional(z.enum(['mean', 'first', 'last'])),
      /** Reversible residual layers: activations are computed again in the backward pass, memory is flat in depth. */
      reversible: z._default(z.boolean(), false),
      /** Pieces in which a feed-forward layer is computed, so that its inner activations are held for one alone. */
      feedForwardChunks: z._default(size, 1),
    })
    .check(
      ...headChecks(),
      z.refine(({ attention, causal }) => attention.type !== 'linformer' || !causal, {
        path: ['causal'],
        error:
          'Linformer mixes all positions, so it is bidirectional only: set causal: false, or take attention favor, lsh or exact',
      }),
      z.refine(({ patches, vocabSize, languageHead }) => (patches ? vocabSize === 0 && !languageHead : vocabSize > 0), {
        path: ['vocabSize'],
        error: 'vocabSize must be at least 1, or 0 with languageHead: false for a model of image patches',
      }),
      z.refine(({ patches }) => !patches || patches.imageSize % patches.patchSize === 0, {
        path: ['patches', 'patchSize'],
        error: 'patchSize must divide imageSize',
      }),
      z.refine(
        ({ patches, positions, causal, tokenTypes }) =>
          !patches || (positions === 'learned' && !causal && tokenTypes === 0),
        {
          path: ['patches'],
          error:
            'a model of image patches has learned positions, no token types, and is bidirectional: set causal: false',
        },
      ),
      z.refine(({ tokenDropout, causal }) => !tokenDropout || !causal, {
        path: ['tokenDropout'],
        error: 'tokenDropout needs to see how many tokens of a sequence are masked: set causal: false',
      }),
      z.refine(({ reversible, norm }) => !reversible || norm === 'pre', {
        path: ['reversible'],
        error: 'reversible layers read normalised streams: set norm: pre',
      }),
      z.refine(({ exactLayers, numLayers }) => exactLayers.every((layer) => layer < numLayers), {
        path: ['exactLayers'],
        error: 'exactLayers are counted from 0, so each must be less than numLayers',
      }),
    );
});

export type TransformerConfiguration = z.infer<typeof transformerSchema>;
/** A configuration before its defaults are filled in. */
export type TransformerOptions = Omit<z.input<typeof transformerSchema>, 'attention' | 'exactLayers'> & {
  readonly attention?: AttentionOptions | AttentionConfiguration['type'] | undefined;
  readonly exactLayers?: readonly number[] | undefined;
};

/** The paper's two sizes (Figure 3, vocabulary of 256), and one that two cores train in minutes. */
export const transformerPresets = {
  compact: { vocabSize: 256, dModel: 256, numLayers: 4, numHeads: 4, dFeedForward: 1024, positions: 'rotary' },
  regular: { vocabSize: 256, dModel: 512, numLayers: 6, numHeads: 8, dFeedForward: 2048 },
  small: { vocabSize: 256, dModel: 64, numLayers: 6, numHeads: 1, dFeedForward: 64 },
} as const satisfies Record<string, TransformerOptions>;

export const transformerConfigurationKind: OptionKind = option.parsed(
  'a configuration of a model, such as model.configuration',
  transformerSchema,
);
