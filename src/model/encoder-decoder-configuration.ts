import type { AttentionConfiguration, AttentionOptions } from '../attention/configuration.ts';
import { z } from '../base/zod.ts';
import { attentionOrType, headChecks } from './configuration.ts';

/** Everything that determines an encoder–decoder's architecture. Unknown keys are errors. */
export const encoderDecoderSchema = z.lazy(() => {
  const count = (value: number) => z._default(z.int().check(z.minimum(1)), value);
  return z
    .strictObject({
      /** Number of token ids of sources. */
      sourceVocabSize: z.int().check(z.minimum(1)),
      /** Number of token ids of targets. */
      targetVocabSize: z.int().check(z.minimum(1)),
      /** Width of the residual stream. */
      dModel: count(512),
      numEncoderLayers: count(6),
      numDecoderLayers: count(6),
      /** Heads of width dModel/numHeads. */
      numHeads: count(8),
      /** Inner width of the feed-forward layers. */
      dFeedForward: count(2048),
      /** Longest sequence, in tokens, that learned positions allow. */
      maxLength: count(1024),
      positions: z._default(z.enum(['learned', 'sinusoidal', 'rotary', 'none']), 'learned'),
      /** Attention of the encoder and the decoder, each within its own sequence. */
      attention: attentionOrType(),
      /** Attention of the decoder to the encoder. Default: favor with its defaults. */
      crossAttention: attentionOrType(),
      activation: z._default(z.enum(['relu', 'gelu', 'geluTanh']), 'gelu'),
      /** Probability of dropping an element while training. Paper: 0.1. */
      dropout: z._default(z.number().check(z.minimum(0), z.lt(1)), 0.1),
      layerNormEpsilon: z._default(z.number().check(z.positive()), 1e-5),
    })
    .check(
      ...headChecks(),
      z.refine(({ crossAttention }) => !('nearField' in crossAttention && crossAttention.nearField), {
        path: ['crossAttention'],
        error: 'a near field needs queries and keys at the same positions; use nearField: null for crossAttention',
      }),
    );
});

export type EncoderDecoderConfiguration = z.output<typeof encoderDecoderSchema>;

type AttentionInput = AttentionOptions | AttentionConfiguration['type'];
/** A configuration before its defaults are filled in. */
export type EncoderDecoderOptions = Omit<z.input<typeof encoderDecoderSchema>, 'attention' | 'crossAttention'> & {
  readonly attention?: AttentionInput | undefined;
  readonly crossAttention?: AttentionInput | undefined;
};
