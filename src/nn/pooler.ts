import type { Backend } from '../backend/types.ts';
import { activation } from '../tensor/ops/activation.ts';
import type { Random } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Layer } from './layer.ts';
import { Linear } from './linear.ts';

/** BERT's pooler: tanh of a linear layer over one vector of a sequence. */
export class Pooler implements Layer {
  readonly #linear: Linear;

  constructor(backend: Backend, dModel: number, deviation: number, random: Random | undefined) {
    this.#linear = new Linear(backend, dModel, dModel, deviation, random);
  }

  /** `[batch, dModel]` → the same */
  forward(x: Tensor): Tensor {
    return activation(this.#linear.forward(x), 'tanh');
  }

  parameters(): Map<string, Tensor> {
    return this.#linear.parameters();
  }
}
