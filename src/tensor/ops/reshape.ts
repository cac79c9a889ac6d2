import type { Shape } from '../shape.ts';
import { record } from '../tape.ts';
import { checkTensors, type Tensor } from '../tensor.ts';

/** The same numbers under another shape of equal size; shares memory. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  checkTensors('reshape', { x });
  return record([x], x.view(shape), (gradient) => [gradient.view(x.shape)]);
}
