import type { ActivationKind, BinaryKind, UnaryKind } from '../../backend/types.ts';
import { ConfigurationError } from '../../base/errors.ts';
import { describe } from '../../base/options.ts';
import { sameShape } from '../shape.ts';
import { record } from '../tape.ts';
import { checkTensors, Tensor } from '../tensor.ts';
import { broadcastShapes, broadcastStrides, checkFloats, sumTo, walk } from './broadcasting.ts';

/** `a ∘ b` by broadcasting, not recorded. */
export function combine(kind: BinaryKind, a: Tensor, b: Tensor): Tensor {
  const { backend } = a;
  const shape = broadcastShapes(kind, a.shape, b.shape);
  const out = Tensor.empty(backend, shape);
  const arrays = { a: a.storage, b: b.storage, out: out.storage };
  // What every residual addition of a model is.
  if (kind === 'add' && sameShape(a.shape, b.shape)) {
    backend.add(a.storage, b.storage, out.storage);
    return out;
  }
  const strides = [a, b].map((each) => broadcastStrides(each.shape, shape));
  walk(kind, backend, shape, strides, (layout) => backend.binary({ kind, ...arrays, ...layout }));
  return out;
}

/** `factor · x`, not recorded. */
function scaled(x: Tensor, factor: number): Tensor {
  const out = Tensor.empty(x.backend, x.shape);
  x.backend.scale(x.storage, out.storage, factor);
  return out;
}

/**
 * `a + b`, by NumPy's broadcasting: shapes are aligned at their last axes, and axes of length 1, or missing ones, are repeated.
 *
 * @throws ShapeError when the shapes do not broadcast; DataError for int32.
 */
export function add(a: Tensor, b: Tensor): Tensor {
  checkFloats('add', { a, b });
  return record([a, b], combine('add', a, b), (gradient, needed) => [
    needed[0] ? sumTo(gradient.view(), a.shape) : undefined,
    needed[1] ? sumTo(gradient.view(), b.shape) : undefined,
  ]);
}

/** `a − b`, broadcast as by {@link add}. */
export function subtract(a: Tensor, b: Tensor): Tensor {
  checkFloats('subtract', { a, b });
  return record([a, b], combine('subtract', a, b), (gradient, needed) => [
    needed[0] ? sumTo(gradient.view(), a.shape) : undefined,
    needed[1] ? sumTo(scaled(gradient, -1), b.shape) : undefined,
  ]);
}

/** `a ∘ b` elementwise, broadcast as by {@link add}. A factor of 0 times ∞ is NaN: {@link where} leaves elements out. */
export function multiply(a: Tensor, b: Tensor): Tensor {
  checkFloats('multiply', { a, b });
  return record([a, b], combine('multiply', a, b), (gradient, needed) => [
    needed[0] ? sumTo(combine('multiply', gradient, b), a.shape) : undefined,
    needed[1] ? sumTo(combine('multiply', gradient, a), b.shape) : undefined,
  ]);
}

/** `a / b` elementwise, broadcast as by {@link add}. By 0: ±∞, or NaN for 0/0. */
export function divide(a: Tensor, b: Tensor): Tensor {
  checkFloats('divide', { a, b });
  const out = combine('divide', a, b);
  return record([a, b], out, (gradient, needed) => {
    const share = combine('divide', gradient, b);
    const dB = () => {
      const product = combine('multiply', share, out);
      product.backend.scale(product.storage, product.storage, -1);
      return sumTo(product, b.shape);
    };
    const second = needed[1] ? dB() : undefined;
    if (needed[0]) return [sumTo(share, a.shape), second];
    share.dispose();
    return [undefined, second];
  });
}

/** `condition ≠ 0 ? a : b`, not recorded. */
function chosen(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  const { backend } = condition;
  const shape = broadcastShapes('where', condition.shape, a.shape, b.shape);
  const out = Tensor.empty(backend, shape);
  const strides = [condition, a, b].map((each) => broadcastStrides(each.shape, shape));
  const arrays = { condition: condition.storage, a: a.storage, b: b.storage, out: out.storage };
  walk('where', backend, shape, strides, (layout) => backend.select({ ...arrays, ...layout }));
  return out;
}

/**
 * `a` where the condition is not 0, else `b`, broadcast as by {@link add}. What is not chosen has no effect, whatever it is,
 * infinities and NaN included, and gets a gradient of 0.
 *
 * @param condition floats; NaN is not 0. Not differentiable.
 */
export function where(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  checkFloats('where', { condition, a, b });
  return record([a, b], chosen(condition, a, b), (gradient, needed) => {
    const zero = Tensor.zeros(a.backend, []);
    const gradients = [
      needed[0] ? sumTo(chosen(condition, gradient, zero), a.shape) : undefined,
      needed[1] ? sumTo(chosen(condition, zero, gradient), b.shape) : undefined,
    ];
    zero.dispose();
    return gradients;
  });
}

/** `factor · x`. */
export function scale(x: Tensor, factor: number): Tensor {
  checkFloats('scale', { x });
  if (typeof factor !== 'number') {
    throw new ConfigurationError(`scale: the factor is ${describe(factor)}; give a number, or multiply by a tensor.`);
  }
  return record([x], scaled(x, factor), (gradient) => [scaled(gradient, factor)]);
}

/**
 * `out[r, c] = factors[r]·x[r, c]`. A factor of 0 leaves its row out: zeros whatever it holds, infinities and NaN included,
 * and no gradient. Differentiable in `x` alone.
 *
 * @param x `[…, columns]`
 * @param factors one number for each row, whatever its shape
 */
export function scaleRows(x: Tensor, factors: Tensor): Tensor {
  const scaledRows = (from: Tensor) => {
    const { backend } = from;
    const out = Tensor.empty(backend, from.shape);
    const arrays = { x: from.storage, factors: factors.storage, out: out.storage };
    backend.scaleRows({ ...arrays, rows: factors.size, width: from.shape.at(-1)! });
    return out;
  };
  return record([x], scaledRows(x), (gradient) => [scaledRows(gradient)]);
}

function unary(kind: UnaryKind, x: Tensor): Tensor {
  const out = Tensor.empty(x.backend, x.shape);
  x.backend.activation(kind, x.storage, out.storage);
  return record([x], out, (gradient) => {
    const dX = Tensor.empty(x.backend, x.shape);
    x.backend.activationBackward(kind, x.storage, gradient.storage, dX.storage);
    return [dX];
  });
}

/** `relu`, `gelu` (exact, by erf), `geluTanh` (GPT-2's form) or `tanh`, elementwise. */
export function activation(x: Tensor, kind: ActivationKind): Tensor {
  checkTensors('activation', { x });
  return unary(kind, x);
}

/** eˣ, elementwise. */
export function exp(x: Tensor): Tensor {
  checkFloats('exp', { x });
  return unary('exp', x);
}

/** Natural logarithm, elementwise: −∞ at 0, NaN below. */
export function log(x: Tensor): Tensor {
  checkFloats('log', { x });
  return unary('log', x);
}
