import type { AttendOptions, DecodingState } from '../attention/types.ts';
import { add } from '../tensor/ops/add.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Dropout } from './dropout.ts';
import type { FeedForward } from './feed-forward.ts';
import { gather, type Layer } from './layer.ts';
import type { LayerNorm } from './layer-norm.ts';
import type { AttentionHeads, MultiHeadAttention } from './multi-head-attention.ts';

interface BlockLayers {
  readonly attentionNorm: LayerNorm;
  readonly attention: MultiHeadAttention;
  readonly feedForwardNorm: LayerNorm;
  readonly feedForward: FeedForward;
}

/** A pre-norm Transformer block: `x + attention(norm(x))`, then `x + feedForward(norm(x))`. */
export class Block implements Layer {
  constructor(readonly layers: BlockLayers) {}

  /**
   * `[batch, length, dModel]` → the same
   *
   * @param observe is shown what the attention is given
   */
  forward(x: Tensor, options: AttendOptions, dropout: Dropout, observe?: (heads: AttentionHeads) => void): Tensor {
    const attended = add(x, dropout.forward(this.attend(x, options, observe)));
    return add(attended, dropout.forward(this.feed(attended)));
  }

  /** Causal continuation of `state`. */
  extend(x: Tensor, state: DecodingState, dropout: Dropout): Tensor {
    const attended = add(x, dropout.forward(this.attendOn(x, state)));
    return add(attended, dropout.forward(this.feed(attended)));
  }

  /** `attention(norm(x))` */
  attend(x: Tensor, options: AttendOptions, observe?: (heads: AttentionHeads) => void): Tensor {
    return this.layers.attention.forward(this.layers.attentionNorm.forward(x), options, observe);
  }

  /** `attention(norm(x))`, x being the continuation of `state`. */
  attendOn(x: Tensor, state: DecodingState): Tensor {
    return this.layers.attention.extend(this.layers.attentionNorm.forward(x), state);
  }

  /** `feedForward(norm(x))` */
  feed(x: Tensor): Tensor {
    return this.layers.feedForward.forward(this.layers.feedForwardNorm.forward(x));
  }

  parameters(): Map<string, Tensor> {
    return gather({ ...this.layers });
  }
}
