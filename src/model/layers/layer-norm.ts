import type { Backend } from '../../backend/types.ts';
import { checkOptions, option } from '../../base/options.ts';
import { layerNorm } from '../../tensor/ops/layer-norm.ts';
import { checkBackend, type Tensor } from '../../tensor/tensor.ts';
import { checkSizes, constantParameter, Module } from './layer.ts';

/** Options of {@link LayerNorm}. */
export interface LayerNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/** Layer normalisation over the last axis (Ba et al. 2016). */
export class LayerNorm extends Module {
  /** Gain `[width]`; starts as 1. */
  readonly weight: Tensor;
  /** `[width]`; starts as 0. */
  readonly bias: Tensor;
  readonly epsilon: number;

  constructor(backend: Backend, width: number, options: LayerNormOptions = {}) {
    super();
    checkBackend('LayerNorm', backend);
    checkSizes('LayerNorm', { width });
    checkOptions<LayerNormOptions>('LayerNorm', options, { epsilon: option.number });
    this.epsilon = options.epsilon ?? 1e-5;
    this.weight = constantParameter(backend, [width], 1);
    this.bias = constantParameter(backend, [width], 0);
  }

  /** `[…, width]` → the same */
  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias, this.epsilon);
  }
}
