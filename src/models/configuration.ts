import {
  type AttentionConfiguration,
  type AttentionOptions,
  attentionConfiguration,
} from '../attention/configuration.ts';
import { z } from '../tensor/zod.ts';

/** A type alone stands for its defaults: `"attention": "auto"`. */
export const attentionOrType = () =>
  z.prefault(
    z.pipe(
      z.transform((value: unknown) => (typeof value === 'string' ? { type: value } : value)),
      attentionConfiguration,
    ),
    { type: 'favor' },
  );

/** Everything that determines a Transformer's architecture; `config.json` of a checkpoint. Unknown keys are errors. */
export const transformerConfiguration = z.lazy(() => {
  const size = z.int().check(z.minimum(1));
  return z
    .strictObject({
      /** Number of token ids. */
      vocabSize: size,
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
      /** Position i sees only positions j ≤ i. */
      causal: z._default(z.boolean(), true),
      activation: z._default(z.enum(['relu', 'gelu', 'geluTanh']), 'gelu'),
      /** Probability of dropping an element while training. Paper: 0.1. */
      dropout: z._default(z.number().check(z.minimum(0), z.lt(1)), 0.1),
      /** The output layer is the transposed token embedding. */
      tiedEmbeddings: z._default(z.boolean(), true),
      layerNormEpsilon: z._default(z.number().check(z.positive()), 1e-5),
      /** Number of classes of a classification head. Default: none. */
      numClasses: z.optional(z.int().check(z.minimum(2))),
      /** What that head reads: the mean over a sequence, or its first or last place. Default: mean. */
      pooling: z.optional(z.enum(['mean', 'first', 'last'])),
      /** Reversible residual layers: activations are computed again in the backward pass, memory is flat in depth. */
      reversible: z._default(z.boolean(), false),
      /** Pieces in which a feed-forward layer is computed, so that its inner activations are held for one alone. */
      feedForwardChunks: z._default(size, 1),
    })
    .check(
      z.refine(({ dModel, numHeads }) => dModel % numHeads === 0, {
        path: ['numHeads'],
        error: 'numHeads must divide dModel; choose, say, dModel 512 with 8 heads',
      }),
      z.refine(({ positions, dModel, numHeads }) => positions !== 'rotary' || (dModel / numHeads) % 2 === 0, {
        path: ['positions'],
        error: 'rotary positions need an even head width dModel/numHeads',
      }),
      z.refine(({ attention, causal }) => attention.type !== 'linformer' || !causal, {
        path: ['causal'],
        error:
          'Linformer mixes all positions, so it is bidirectional only: set causal: false, or take attention favor, lsh or exact',
      }),
    );
});

export type TransformerConfiguration = z.infer<typeof transformerConfiguration>;
/** A configuration before its defaults are filled in. */
export type TransformerOptions = Omit<z.input<typeof transformerConfiguration>, 'attention'> & {
  readonly attention?: AttentionOptions | AttentionConfiguration['type'] | undefined;
};

/** The paper's two sizes (Figure 3, vocabulary of 256), and one that two cores train in minutes. */
export const transformerPresets = {
  compact: { vocabSize: 256, dModel: 256, numLayers: 4, numHeads: 4, dFeedForward: 1024, positions: 'rotary' },
  regular: { vocabSize: 256, dModel: 512, numLayers: 6, numHeads: 8, dFeedForward: 2048 },
  small: { vocabSize: 256, dModel: 64, numLayers: 6, numHeads: 1, dFeedForward: 64 },
} as const satisfies Record<string, TransformerOptions>;
