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
    return this.#around(x, dropout, (normed) => this.layers.attention.forward(normed, options, observe));
  }

  /** Causal continuation of `state`. */
  extend(x: Tensor, state: DecodingState, dropout: Dropout): Tensor {
    return this.#around(x, dropout, (normed) => this.layers.attention.extend(normed, state));
  }

  #around(x: Tensor, dropout: Dropout, attend: (normed: Tensor) => Tensor): Tensor {
    const { attentionNorm, feedForwardNorm, feedForward } = this.layers;
    const attended = add(x, dropout.forward(attend(attentionNorm.forward(x))));
    return add(attended, dropout.forward(feedForward.forward(feedForwardNorm.forward(attended))));
  }

  parameters(): Map<string, Tensor> {
    return gather({ ...this.layers });
  }
}
