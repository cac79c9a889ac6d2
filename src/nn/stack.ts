import type { AttendOptions, DecodingState } from '../attention/types.ts';
import { scopeUnlessTracked } from '../tensor/tape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Block } from './block.ts';
import { Dropout } from './dropout.ts';
import type { AttentionObserver } from './multi-head-attention.ts';

/** How blocks are joined to a model's depth. */
export interface Stack {
  /**
   * `[batch, length, dModel]` → the same
   *
   * @param observe is shown what the attention of every block is given and gives, in order
   */
  forward(x: Tensor, options: AttendOptions, dropout: Dropout, observe?: AttentionObserver): Tensor;
  /** Causal continuation of `states`, one for each block. Not differentiable. */
  extend(x: Tensor, states: readonly DecodingState[]): Tensor;
}

/** Each block takes what the one before gives. Activations are kept for the backward pass: memory grows with the depth. */
export class ResidualStack implements Stack {
  constructor(readonly blocks: readonly Block[]) {}

  forward(x: Tensor, options: AttendOptions, dropout: Dropout, observe?: AttentionObserver): Tensor {
    return this.blocks.reduce(
      // Without a tape, what a block made on the way is freed before the next one starts.
      (given, block) =>
        scopeUnlessTracked([given, ...block.parameters().values()], () =>
          block.forward(given, options, dropout, observe),
        ),
      x,
    );
  }

  extend(x: Tensor, states: readonly DecodingState[]): Tensor {
    return this.blocks.reduce((given, block, layer) => block.extend(given, states[layer], Dropout.off), x);
  }
}
