import type { Backend } from '../../backend/types.ts';
import { linear } from '../../tensor/ops/linear.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { checkInitial, checkSizes, constantParameter, type InitialWeights, Module, normalParameter } from './layer.ts';

/** `x Wᵀ + b`; W starts as N(0, deviation²), by default with deviation 1/√dIn, b as zero. */
export class Linear extends Module {
  /** `[dOut, dIn]` */
  readonly weight: Tensor;
  /** `[dOut]` */
  readonly bias: Tensor;

  constructor(backend: Backend, dIn: number, dOut: number, initial: InitialWeights) {
    super();
    checkInitial('Linear', backend, initial);
    checkSizes('Linear', { dIn, dOut });
    const { random, deviation = 1 / Math.sqrt(dIn) } = initial;
    this.weight = normalParameter(backend, [dOut, dIn], deviation, random);
    this.bias = constantParameter(backend, [dOut], 0);
  }

  /** `[…, dIn]` → `[…, dOut]` */
  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }
}
