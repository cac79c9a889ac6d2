import type { Backend } from '../../backend/types.ts';
import type { Random } from '../../base/random.ts';
import { linear } from '../../tensor/ops/linear.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { constantParameter, type Layer, normalParameter } from './layer.ts';

/** `x Wᵀ + b` with W `[dOut, dIn]`, b `[dOut]`; W starts as N(0, deviation²), b as zero. */
export class Linear implements Layer {
  readonly weight: Tensor;
  readonly bias: Tensor;

  constructor(backend: Backend, dIn: number, dOut: number, deviation: number, random: Random | undefined) {
    this.weight = normalParameter(backend, [dOut, dIn], deviation, random);
    this.bias = constantParameter(backend, [dOut], 0);
  }

  /** `[…, dIn]` → `[…, dOut]` */
  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }

  parameters(): Map<string, Tensor> {
    return new Map([
      ['weight', this.weight],
      ['bias', this.bias],
    ]);
  }
}
