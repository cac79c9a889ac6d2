import type { SourceMemory } from '../../attention/decoding/source-memory.ts';
import type { AttendOptions, DecodingState, KeyMask } from '../../attention/types.ts';
import { withLabel } from '../../base/labels.ts';
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
   * @param sourceMask its valid positions
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

  /** Continues `state` by new positions. */
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
    const { feedForward } = this.layers;
    const attended = this.#join('attention', 'attentionNorm', x, dropout, attend);
    const informed = this.#join('crossAttention', 'crossNorm', attended, dropout, attendToSource);
    return this.#join('feedForward', 'feedForwardNorm', informed, dropout, (normed) => feedForward.forward(normed));
  }

  #join(
    part: string,
    norm: 'attentionNorm' | 'crossNorm' | 'feedForwardNorm',
    x: Tensor,
    dropout: Dropout,
    residual: (normed: Tensor) => Tensor,
  ): Tensor {
    const normed = withLabel(norm, () => this.layers[norm].forward(x));
    const changed = withLabel(part, () => dropout.forward(residual(normed)));
    return add(x, changed);
  }

  parameters(): Map<string, Tensor> {
    return gather({ ...this.layers });
  }
}
