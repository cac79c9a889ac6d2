import type { Backend } from '../../backend/types.ts';
import type { Random } from '../../base/random.ts';
import { keep } from '../../tensor/scope.ts';
import type { Shape } from '../../tensor/shape.ts';
import { sizeOf } from '../../tensor/shape.ts';
import { Tensor, tensor } from '../../tensor/tensor.ts';

/** Something with named trained parameters. Names are dotted paths, such as `blocks.0.attention.query.weight`. */
export interface Layer {
  parameters(): Map<string, Tensor>;
}

/** The parameters of `layers`, each name prefixed by its layer's. */
export function gather(layers: Record<string, Layer>): Map<string, Tensor> {
  const all = new Map<string, Tensor>();
  for (const [prefix, layer] of Object.entries(layers)) {
    for (const [name, parameter] of layer.parameters()) all.set(`${prefix}.${name}`, parameter);
  }
  return all;
}

/**
 * A parameter drawn from N(0, deviation²); outlives scopes.
 *
 * @param random undefined = zeros, for a model whose weights are loaded next: drawing takes longer than reading them
 */
export function normalParameter(backend: Backend, shape: Shape, deviation: number, random: Random | undefined): Tensor {
  if (!random) return constantParameter(backend, shape, 0);
  const data = Float32Array.from({ length: sizeOf(shape) }, () => deviation * random.normal());
  return keep(tensor(backend, data, shape));
}

/** A parameter whose elements all start as `value`; outlives scopes. */
export function constantParameter(backend: Backend, shape: Shape, value: number): Tensor {
  const parameter = keep(Tensor.empty(backend, shape));
  backend.fill(parameter.storage, value);
  return parameter;
}
