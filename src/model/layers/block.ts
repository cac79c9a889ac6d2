import type { AttendOptions, DecodingState } from '../../attention/types.ts';
import { add } from '../../tensor/ops/elementwise.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Dropout } from './dropout.ts';
import type { FeedForward } from './feed-forward.ts';
import { gather, type Layer } from './layer.ts';
import type { LayerNorm } from './layer-norm.ts';
import type { AttentionObserver, MultiHeadAttention } from './multi-head-attention.ts';

/** Where a block normalises: what its two parts read, or the sums that they are added to. */
export type NormPlace = 'pre' | 'post';

interface BlockLayers {
  readonly attentionNorm: LayerNorm;
  readonly attention: MultiHeadAttention;
  readonly feedForwardNorm: LayerNorm;
  readonly feedForward: FeedForward;
}

/**
 * A Transformer block. Pre-norm: `x + attention(norm(x))`, then `x + feedForward(norm(x))`. Post-norm, as in the first
 * Transformer and BERT: `norm(x + attention(x))`, then `norm(x + feedForward(x))`.
 */
export class Block implements Layer {
  constructor(
    readonly layers: BlockLayers,
    readonly norm: NormPlace = 'pre',
  ) {}

  /**
   * `[batch, length, dModel]` → the same
   *
   * @param observe is shown what the attention is given and gives
   */
  forward(x: Tensor, options: AttendOptions, dropout: Dropout, observe?: AttentionObserver): Tensor {
    return this.#feed(
      this.#join(x, this.layers.attentionNorm, dropout, (given) =>
        this.layers.attention.forward(given, options, observe),
      ),
      dropout,
    );
  }

  /** Causal continuation of `state`. */
  extend(x: Tensor, state: DecodingState, dropout: Dropout): Tensor {
    return this.#feed(
      this.#join(x, this.layers.attentionNorm, dropout, (given) => this.layers.attention.extend(given, state)),
      dropout,
    );
  }

  #feed(x: Tensor, dropout: Dropout): Tensor {
    return this.#join(x, this.layers.feedForwardNorm, dropout, (given) => this.layers.feedForward.forward(given));
  }

  #join(x: Tensor, norm: LayerNorm, dropout: Dropout, residual: (given: Tensor) => Tensor): Tensor {
    if (this.norm === 'post') return norm.forward(add(x, dropout.forward(residual(x))));
    return add(x, dropout.forward(residual(norm.forward(x))));
  }

  parameters(): Map<string, Tensor> {
    return gather({ ...this.layers });
  }
}
