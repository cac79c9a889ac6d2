import { record } from '../tape.ts';
import { Tensor } from '../tensor.ts';

/** `factor · x`. */
export function scale(x: Tensor, factor: number): Tensor {
  const scaled = (from: Tensor) => {
    const out = Tensor.empty(from.backend, from.shape);
    from.backend.scale(from.storage, out.storage, factor);
    return out;
  };
  return record([x], scaled(x), (gradient) => [scaled(gradient)]);
}
