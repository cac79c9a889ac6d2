import type { ActivationKind } from '../../backend/types.ts';
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

/** `factor · x`. */
export function scale(x: Tensor, factor: number): Tensor {
  const scaled = (from: Tensor) => {
    const out = Tensor.empty(from.backend, from.shape);
    from.backend.scale(from.storage, out.storage, factor);
    return out;
  };
  return record([x], scaled(x), (gradient) => [scaled(gradient)]);
}

/**
 * `out[r, c] = factors[r]·x[r, c]`. A factor of 0 leaves its row out: zeros whatever it holds, infinities and NaN included,
 * and no gradient. Differentiable in `x` alone.
 *
 * @param x `[…, columns]`
 * @param factors one number for each row, whatever its shape
 */
export function scaleRows(x: Tensor, factors: Tensor): Tensor {
  const scaled = (from: Tensor) => {
    const { backend } = from;
    const out = Tensor.empty(backend, from.shape);
    const arrays = { x: from.storage, factors: factors.storage, out: out.storage };
    backend.scaleRows({ ...arrays, rows: factors.size, width: from.shape.at(-1)! });
    return out;
  };
  return record([x], scaled(x), (gradient) => [scaled(gradient)]);
}

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
