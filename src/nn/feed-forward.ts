import type { ActivationKind, Backend } from '../backend/types.ts';
import { activation } from '../tensor/ops/activation.ts';
import type { Random } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { gather, type Layer } from './layer.ts';
import { Linear } from './linear.ts';

/** Two linear layers with an activation between: dModel → dFeedForward → dModel. */
export class FeedForward implements Layer {
  readonly #expand: Linear;
  readonly #contract: Linear;

  constructor(
    backend: Backend,
    sizes: { dModel: number; dFeedForward: number; activation: ActivationKind },
    deviations: { inner: number; residual: number },
    random: Random,
  ) {
    this.#expand = new Linear(backend, sizes.dModel, sizes.dFeedForward, deviations.inner, random);
    this.#contract = new Linear(backend, sizes.dFeedForward, sizes.dModel, deviations.residual, random);
    this.activation = sizes.activation;
  }

  readonly activation: ActivationKind;

  /** `[…, dModel]` → the same */
  forward(x: Tensor): Tensor {
    return this.#contract.forward(activation(this.#expand.forward(x), this.activation));
  }

  parameters(): Map<string, Tensor> {
    return gather({ expand: this.#expand, contract: this.#contract });
  }
}
