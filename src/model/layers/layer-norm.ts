import type { Backend } from '../../backend/types.ts';
import { layerNorm } from '../../tensor/ops/layer-norm.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { constantParameter, type Layer } from './layer.ts';

/** Layer normalisation over the last axis, with gain (weight, starts as 1) and bias (starts as 0). */
export class LayerNorm implements Layer {
  readonly weight: Tensor;
  readonly bias: Tensor;

  constructor(
    backend: Backend,
    width: number,
    readonly epsilon: number,
  ) {
    this.weight = constantParameter(backend, [width], 1);
    this.bias = constantParameter(backend, [width], 0);
  }

  /** `[…, width]` → the same */
  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias, this.epsilon);
  }

  parameters(): Map<string, Tensor> {
    return new Map([
      ['weight', this.weight],
      ['bias', this.bias],
    ]);
  }
}
