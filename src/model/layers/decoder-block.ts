import type { SourceMemory } from '../../attention/decoding/source-memory.ts';
import type { AttendOptions, DecodingState, KeyMask } from '../../attention/types.ts';
import { add } from '../../tensor/ops/elementwise.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Dropout } from './dropout.ts';
import type { FeedForward } from './feed-forward.ts';
import { gather, type Layer } from './layer.ts';
import type { LayerNorm } from './layer-norm.ts';
import type { MultiHeadAttention } from './multi-head-attention.ts';

interface DecoderBlockLayers {
  readonly attentionNorm: LayerNorm;
  readonly attention: MultiHeadAttention;
  readonly crossNorm: LayerNorm;
  readonly crossAttention: MultiHeadAttention;
  readonly feedForwardNorm: LayerNorm;
  readonly feedForward: FeedForward;
}

/** What a decoder block remembers of the past and of the source while decoding. */
export interface DecoderBlockState {
  readonly past: DecodingState;
  readonly source: SourceMemory;
}

/** A pre-norm block with three residual parts: causal attention, attention to the source, feed-forward. */
export class DecoderBlock implements Layer {
  constructor(readonly layers: DecoderBlockLayers) {}

  /**
   * `[batch, length, dModel]` → the same
   *
   * @param source `[batch, lengthK, dModel]`: what the encoder made
   * @param sourceMask its valid places
   */
  forward(
    x: Tensor,
    source: Tensor,
    options: AttendOptions,
    sourceMask: KeyMask | undefined,
    dropout: Dropout,
  ): Tensor {
    const { attention, crossAttention } = this.layers;
    return this.#around(
      x,
      dropout,
      (normed) => attention.forward(normed, { ...options, causal: true }),
      (normed) => crossAttention.attendTo(normed, source, { keyMask: sourceMask }),
    );
  }

  /** Continues `state` by new places. */
  extend(x: Tensor, { past, source }: DecoderBlockState, dropout: Dropout): Tensor {
    const { attention, crossAttention } = this.layers;
    return this.#around(
      x,
      dropout,
      (normed) => attention.extend(normed, past),
      (normed) => crossAttention.recall(normed, source),
    );
  }

  #around(
    x: Tensor,
    dropout: Dropout,
    attend: (normed: Tensor) => Tensor,
    attendToSource: (normed: Tensor) => Tensor,
  ): Tensor {
    const { attentionNorm, crossNorm, feedForwardNorm, feedForward } = this.layers;
    const attended = add(x, dropout.forward(attend(attentionNorm.forward(x))));
    const informed = add(attended, dropout.forward(attendToSource(crossNorm.forward(attended))));
    return add(informed, dropout.forward(feedForward.forward(feedForwardNorm.forward(informed))));
  }

  parameters(): Map<string, Tensor> {
    return gather({ ...this.layers });
  }
}
