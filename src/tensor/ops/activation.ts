import type { ActivationKind } from '../../backend/types.ts';
import { record } from '../tape.ts';
import { checkTensors, Tensor } from '../tensor.ts';

/** `relu`, `gelu` (exact, by erf), `geluTanh` (GPT-2's form) or `tanh`, elementwise. */
export function activation(x: Tensor, kind: ActivationKind): Tensor {
  checkTensors('activation', { x });
  const out = Tensor.empty(x.backend, x.shape);
  x.backend.activation(kind, x.storage, out.storage);
  return record([x], out, (gradient) => {
    const dX = Tensor.empty(x.backend, x.shape);
    x.backend.activationBackward(kind, x.storage, gradient.storage, dX.storage);
    return [dX];
  });
}
