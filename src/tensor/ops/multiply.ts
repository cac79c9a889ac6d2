import { checkShape } from '../shape.ts';
import { record } from '../tape.ts';
import { checkTensors, Tensor } from '../tensor.ts';

/** `a ∘ b` elementwise, same shapes. */
export function multiply(a: Tensor, b: Tensor): Tensor {
  checkTensors('multiply', { a, b });
  checkShape('multiply: b', b.shape, a.shape);
  const product = (x: Tensor, y: Tensor) => {
    const out = Tensor.empty(x.backend, x.shape);
    x.backend.multiply(x.storage, y.storage, out.storage);
    return out;
  };
  return record([a, b], product(a, b), (gradient, needed) => [
    needed[0] ? product(gradient, b) : undefined,
    needed[1] ? product(gradient, a) : undefined,
  ]);
}
