import { z } from 'zod';
import {
  type AttentionConfiguration,
  type AttentionOptions,
  attentionConfiguration,
} from '../attention/configuration.ts';

/** A type alone stands for its defaults: `"attention": "auto"`. */
const attention = () =>
  z.preprocess(
    (value) => (typeof value === 'string' ? { type: value } : value),
    attentionConfiguration.prefault({ type: 'favor' }),
  );

/** Everything that determines a Transformer's architecture; `config.json` of a checkpoint. Unknown keys are errors. */
export const transformerConfiguration = z.lazy(() =>
  z
    .strictObject({
      /** Number of token ids. */
      vocabSize: z.int().min(1),
      /** Width of the residual stream. */
      dModel: z.int().min(1).default(512),
      numLayers: z.int().min(1).default(6),
      /** Heads of width dModel/numHeads. */
      numHeads: z.int().min(1).default(8),
      /** Inner width of the feed-forward layers. */
      dFeedForward: z.int().min(1).default(2048),
      /** Longest sequence, in tokens, that learned positions allow; training windows must not be longer. */
      maxLength: z.int().min(1).default(1024),
      positions: z.enum(['learned', 'sinusoidal', 'rotary', 'none']).default('learned'),
      attention: attention(),
      /** Position i sees only positions j ≤ i. */
      causal: z.boolean().default(true),
      activation: z.enum(['relu', 'gelu', 'geluTanh']).default('gelu'),
      /** Probability of dropping an element while training. Paper: 0.1. */
      dropout: z.number().min(0).lt(1).default(0.1),
      /** The output layer is the transposed token embedding. */
      tiedEmbeddings: z.boolean().default(true),
      layerNormEpsilon: z.number().positive().default(1e-5),
    })
    .refine(({ dModel, numHeads }) => dModel % numHeads === 0, {
      path: ['numHeads'],
      error: 'numHeads must divide dModel; choose, say, dModel 512 with 8 heads',
    })
    .refine(({ positions, dModel, numHeads }) => positions !== 'rotary' || (dModel / numHeads) % 2 === 0, {
      path: ['positions'],
      error: 'rotary positions need an even head width dModel/numHeads',
    }),
);

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
