import type { AttendOptions, DecodingState } from '../attention/types.ts';
import { type ReversibleStep, reversible } from '../tensor/ops/reversible.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Block } from './block.ts';
import { Dropout } from './dropout.ts';
import type { Layer } from './layer.ts';
import type { AttentionObserver } from './multi-head-attention.ts';
import type { Stack } from './stack.ts';

/**
 * Reversible residual layers (Reformer, Kitaev et al. 2020, section 3): a block takes two streams,
 * `y₁ = x₁ + attention(norm(x₂))`, `y₂ = x₂ + feedForward(norm(y₁))`. Both start as the input; the result is their mean.
 * The backward pass makes activations again out of the results: memory does not grow with the depth.
 */
export class ReversibleStack implements Stack {
  constructor(readonly blocks: readonly Block[]) {}

  forward(x: Tensor, options: AttendOptions, dropout: Dropout, observe?: AttentionObserver): Tensor {
    const steps = this.#steps(dropout, ({ layers }, given) => layers.attention.forward(given, options, observe));
    return reversible(x, steps);
  }

  extend(x: Tensor, states: readonly DecodingState[]): Tensor {
    const steps = this.#steps(Dropout.off, ({ layers }, given, layer) => layers.attention.extend(given, states[layer]));
    return reversible(x, steps);
  }

  /** Two for each block; the masks of dropout are fixed here, so that a step gives the same whenever it is made. */
  #steps(dropout: Dropout, attend: (block: Block, given: Tensor, layer: number) => Tensor): ReversibleStep[] {
    return this.blocks.flatMap((block, layer) => {
      const { attentionNorm, attention, feedForwardNorm, feedForward } = block.layers;
      const step = (residual: (x: Tensor) => Tensor, ...layers: Layer[]): ReversibleStep => {
        const drop = dropout.next();
        return {
          residual: (x) => drop(residual(x)),
          parameters: layers.flatMap((each) => [...each.parameters().values()]),
        };
      };
      return [
        step((x) => attend(block, attentionNorm.forward(x), layer), attentionNorm, attention),
        step((x) => feedForward.forward(feedForwardNorm.forward(x)), feedForwardNorm, feedForward),
      ];
    });
  }
}
