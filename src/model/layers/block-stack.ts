import type { AttendOptions, DecodingState } from '../../attention/types.ts';
import type { Pieces } from '../../base/event-loop.ts';
import { piecesWithLabel, withLabel } from '../../base/labels.ts';
import { type ReversibleStep, reversibleInPieces } from '../../tensor/ops/reversible.ts';
import { isTracked, scopedUnlessTracked } from '../../tensor/tape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Block } from './block.ts';
import { Dropout } from './dropout.ts';
import type { Layer } from './layer.ts';
import type { AttentionObserver } from './multi-head-attention.ts';

/** How blocks are joined to a model's depth. */
export interface Stack {
  /**
   * `[batch, length, dModel]` → the same, in pieces of a block or less
   *
   * @param observe is shown what the attention of every block is given and gives, in order
   */
  forward(x: Tensor, options: AttendOptions, dropout: Dropout, observe?: AttentionObserver): Pieces<Tensor>;
  /** Causal continuation of `states`, one for each block, in pieces of a block or less. Not differentiable. */
  extend(x: Tensor, states: readonly DecodingState[]): Pieces<Tensor>;
}

/** Each block takes what the one before gives. Activations are kept for the backward pass: memory grows with the depth. */
export class ResidualStack implements Stack {
  constructor(readonly blocks: readonly Block[]) {}

  *forward(x: Tensor, options: AttendOptions, dropout: Dropout, observe?: AttentionObserver): Pieces<Tensor> {
    let out = x;
    for (const [layer, block] of this.blocks.entries()) {
      yield;
      const given = out;
      const needed = [given, ...block.parameters().values()];
      // Without a tape, what a block made on the way is freed before the next one starts.
      const pieces = block.forwardInPieces(given, options, dropout, observe);
      out = yield* scopedUnlessTracked(needed, piecesWithLabel(`blocks.${layer}`, pieces));
      if (given !== x && !isTracked(...needed)) given.dispose();
    }
    return out;
  }

  *extend(x: Tensor, states: readonly DecodingState[]): Pieces<Tensor> {
    let out = x;
    for (const [layer, block] of this.blocks.entries()) {
      yield;
      const given = out;
      out = withLabel(`blocks.${layer}`, () => block.extend(given, states[layer], Dropout.off));
    }
    return out;
  }
}

/**
 * Reversible residual layers (Reformer, Kitaev et al. 2020, section 3): a block takes two streams,
 * `y₁ = x₁ + attention(norm(x₂))`, `y₂ = x₂ + feedForward(norm(y₁))`. Both start as the input; the result is their mean.
 * The backward pass makes activations again out of the results: memory does not grow with the depth.
 */
export class ReversibleStack implements Stack {
  constructor(readonly blocks: readonly Block[]) {}

  forward(x: Tensor, options: AttendOptions, dropout: Dropout, observe?: AttentionObserver): Pieces<Tensor> {
    const steps = this.#steps(dropout, ({ layers }, given) => layers.attention.forward(given, options, observe));
    return reversibleInPieces(x, steps);
  }

  extend(x: Tensor, states: readonly DecodingState[]): Pieces<Tensor> {
    const steps = this.#steps(Dropout.off, ({ layers }, given, layer) => layers.attention.extend(given, states[layer]));
    return reversibleInPieces(x, steps);
  }

  /** Two for each block; the masks of dropout are fixed here, so that a step gives the same whenever it is made. */
  #steps(dropout: Dropout, attend: (block: Block, given: Tensor, layer: number) => Tensor): ReversibleStep[] {
    return this.blocks.flatMap((block, layer) => {
      const { attentionNorm, attention, feedForwardNorm, feedForward } = block.layers;
      const step = (label: string, residual: (x: Tensor) => Tensor, ...layers: Layer[]): ReversibleStep => {
        const drop = dropout.next();
        return {
          residual: (x) => withLabel(`blocks.${layer}.${label}`, () => drop(residual(x))),
          parameters: layers.flatMap((each) => [...each.parameters().values()]),
        };
      };
      return [
        step('attention', (x) => attend(block, attentionNorm.forward(x), layer), attentionNorm, attention),
        step('feedForward', (x) => feedForward.forward(feedForwardNorm.forward(x)), feedForwardNorm, feedForward),
      ];
    });
  }
}
