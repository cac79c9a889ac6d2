import { checkShape } from '../shape.ts';
import { record } from '../tape.ts';
import { checkTensors, Tensor } from '../tensor.ts';

/** `a + b`, same shapes. */
export function add(a: Tensor, b: Tensor): Tensor {
  checkTensors('add', { a, b });
  checkShape('add: b', b.shape, a.shape);
  const out = Tensor.empty(a.backend, a.shape);
  a.backend.add(a.storage, b.storage, out.storage);
  return record([a, b], out, (gradient) => [gradient.view(), gradient.view()]);
}
