import type { ActivationKind, Backend } from '../../backend/types.ts';
import { atOnce, type Pieces } from '../../base/event-loop.ts';
import { withLabel } from '../../base/labels.ts';
import { checkOptions, option } from '../../base/options.ts';
import { activation } from '../../tensor/ops/elementwise.ts';
import { recompute } from '../../tensor/ops/recompute.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { checkInitial, checkSizes, Module, type ResidualWeights } from './layer.ts';
import { Linear } from './linear.ts';

/** Sizes of a {@link FeedForward}. */
export interface FeedForwardSizes {
  readonly dModel: number;
  readonly dFeedForward: number;
  /** Default gelu. */
  readonly activation?: ActivationKind | undefined;
  /**
   * Pieces of the batch's positions that are computed one after another, both ways. `[…, dFeedForward]` is then only
   * held for one piece, and the backward pass computes it again. Default 1: all at once, kept for the backward pass.
   */
  readonly feedForwardChunks?: number | undefined;
}

/** What feed-forward layers need of a model's configuration. */
export function feedForwardSizes(configuration: FeedForwardSizes): FeedForwardSizes {
  const { dModel, dFeedForward, activation, feedForwardChunks } = configuration;
  return { dModel, dFeedForward, activation, feedForwardChunks };
}

/** Two linear layers with an activation between: dModel → dFeedForward → dModel. */
export class FeedForward extends Module {
  readonly expand: Linear;
  readonly contract: Linear;

  constructor(
    backend: Backend,
    readonly sizes: FeedForwardSizes,
    initial: ResidualWeights,
  ) {
    super();
    checkInitial('FeedForward', backend, initial);
    checkOptions<FeedForwardSizes>('FeedForward', sizes ?? null, {
      dModel: option.count,
      dFeedForward: option.count,
      activation: option.oneOf('relu', 'gelu', 'geluTanh', 'tanh'),
      feedForwardChunks: option.count,
    });
    const { dModel, dFeedForward } = sizes;
    checkSizes('FeedForward', { dModel, dFeedForward });
    const { random, deviation, outputDeviation = deviation } = initial;
    this.expand = new Linear(backend, dModel, dFeedForward, { random, deviation });
    this.contract = new Linear(backend, dFeedForward, dModel, { random, deviation: outputDeviation });
  }

  /** `[…, dModel]` → the same */
  forward(x: Tensor): Tensor {
    return atOnce(this.forwardInPieces(x));
  }

  /** As {@link forward}, in pieces of a linear layer; with `feedForwardChunks` in one. */
  *forwardInPieces(x: Tensor): Pieces<Tensor> {
    const { feedForwardChunks = 1 } = this.sizes;
    if (feedForwardChunks === 1) return yield* this.#pieces(x);
    const whole = (rows: Tensor) => atOnce(this.#pieces(rows));
    return recompute(whole, x, [...this.parameters().values()], feedForwardChunks);
  }

  *#pieces(rows: Tensor): Pieces<Tensor> {
    const linear = withLabel('expand', () => this.expand.forward(rows));
    yield;
    const expanded = activation(linear, this.sizes.activation ?? 'gelu');
    yield;
    return withLabel('contract', () => this.contract.forward(expanded));
  }
}
