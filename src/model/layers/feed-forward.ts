import type { ActivationKind, Backend } from '../../backend/types.ts';
import type { Random } from '../../base/random.ts';
import { activation } from '../../tensor/ops/elementwise.ts';
import { recompute } from '../../tensor/ops/recompute.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { gather, type Layer } from './layer.ts';
import { Linear } from './linear.ts';

interface FeedForwardSizes {
  readonly dModel: number;
  readonly dFeedForward: number;
  readonly activation: ActivationKind;
  /**
   * Pieces of the batch's positions that are computed one after another, both ways, so that `[…, dFeedForward]` is only
   * ever held for one of them; the backward pass computes it again. Default 1: all at once, kept for the backward pass.
   */
  readonly feedForwardChunks?: number;
}

/** Two linear layers with an activation between: dModel → dFeedForward → dModel. */
export class FeedForward implements Layer {
  readonly #expand: Linear;
  readonly #contract: Linear;

  constructor(
    backend: Backend,
    readonly sizes: FeedForwardSizes,
    deviations: { inner: number; residual: number },
    random: Random | undefined,
  ) {
    this.#expand = new Linear(backend, sizes.dModel, sizes.dFeedForward, deviations.inner, random);
    this.#contract = new Linear(backend, sizes.dFeedForward, sizes.dModel, deviations.residual, random);
  }

  /** `[…, dModel]` → the same */
  forward(x: Tensor): Tensor {
    const { feedForwardChunks = 1 } = this.sizes;
    const whole = (rows: Tensor) =>
      this.#contract.forward(activation(this.#expand.forward(rows), this.sizes.activation));
    return feedForwardChunks === 1 ? whole(x) : recompute(whole, x, [...this.parameters().values()], feedForwardChunks);
  }

  parameters(): Map<string, Tensor> {
    return gather({ expand: this.#expand, contract: this.#contract });
  }
}
