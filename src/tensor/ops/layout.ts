/** Numbers in another order or place: nothing is computed, so int32 tensors (token ids) are taken too. */
import { ShapeError } from '../../base/errors.ts';
import { describe } from '../../base/options.ts';
import { asShape, formatShape, type Shape, sameShape } from '../shape.ts';
import { record } from '../tape.ts';
import { checkTensors, namedTensors, Tensor } from '../tensor.ts';
import { axisOf, broadcastShapes, broadcastStrides, denseStrides, stridedCopy, sumTo, walk } from './broadcasting.ts';

/** The same numbers under another shape of equal size; shares memory. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  checkTensors('reshape', { x });
  return record([x], x.view(shape), (gradient) => [gradient.view(x.shape)]);
}

/**
 * Puts the axes in another order: axis i of the result is axis `axes[i]` of x. A copy; linear time.
 *
 * @param axes every axis of x once; default: the reverse, which transposes a matrix
 * @throws ShapeError when an axis is missing or named twice.
 */
export function permute(x: Tensor, axes?: readonly number[]): Tensor {
  checkTensors('permute', { x });
  const { shape } = x;
  const order = axes ?? [...shape.keys()].reverse();
  if (!Array.isArray(order) || order.length !== shape.length) {
    throw new ShapeError(`permute: the axes are ${describe(axes)}; give each of the ${shape.length} axes of x once.`);
  }
  const from = order.map((axis) => axisOf('permute', axis, shape.length));
  const twice = from.find((axis, i) => from.indexOf(axis) !== i);
  if (twice !== undefined) throw new ShapeError(`permute: axis ${twice} is named twice; give every axis of x once.`);
  const inverse = from.map((_, axis) => from.indexOf(axis));
  return record([x], permuted(x, from), (gradient) => [permuted(gradient, inverse)]);
}

function permuted(x: Tensor, axes: readonly number[]): Tensor {
  const strides = denseStrides(x.shape);
  const shape = axes.map((axis) => x.shape[axis]);
  return stridedCopy(
    'permute',
    x,
    shape,
    axes.map((axis) => strides[axis]),
  );
}

/**
 * Places `start` up to below `end` of one axis; a copy.
 *
 * @param axis counted from the end where negative
 * @param start from 0, or from the end where negative
 * @param end default: the end of the axis
 * @throws ShapeError when they are not places of the axis in order.
 */
export function slice(x: Tensor, axis: number, start: number, end?: number): Tensor {
  checkTensors('slice', { x });
  const at = axisOf('slice', axis, x.shape.length);
  const length = x.shape[at];
  const [first, last] = [start, end ?? length].map((place) =>
    Number.isInteger(place) && place < 0 ? place + length : place,
  );

  const isPiece = Number.isInteger(first) && Number.isInteger(last) && first >= 0 && first <= last && last <= length;
  if (!isPiece) {
    throw new ShapeError(
      `slice: places ${describe(start)} to ${describe(end ?? length)} are not in axis ${at} of ${formatShape(x.shape)}, which has ${length}.`,
    );
  }
  const strides = denseStrides(x.shape);
  const shape = x.shape.map((size, i) => (i === at ? last - first : size));
  const out = stridedCopy('slice', x, shape, strides, first * strides[at]);
  return record([x], out, (gradient) => {
    const dX = Tensor.zeros(x.backend, x.shape);
    put(gradient, dX, at, first);
    return [dX];
  });
}

/** Copies `part` into `whole`, from place `start` of an axis on. */
function put(part: Tensor, whole: Tensor, axis: number, start: number): void {
  const { backend } = whole;
  const strides = denseStrides(whole.shape);
  const offset = start * strides[axis];
  const rest = backend.slice(whole.storage, offset, whole.storage.length - offset);
  walk('concatenate', backend, part.shape, [denseStrides(part.shape), strides], (layout) => {
    backend.stridedCopy({ x: part.storage, out: rest, ...layout });
  });
}

/**
 * Tensors one after another along an axis.
 *
 * @param tensors at least one, of one type, and of one shape but for that axis
 * @param axis default 0; counted from the end where negative
 * @throws ShapeError naming the tensor that does not fit.
 */
export function concatenate(tensors: readonly Tensor[], axis = 0): Tensor {
  if (!Array.isArray(tensors) || tensors.length === 0) {
    throw new ShapeError(`concatenate: the tensors are ${describe(tensors)}; give an array of at least one.`);
  }
  checkTensors('concatenate', namedTensors('tensors', tensors));
  const parts: readonly Tensor[] = tensors;
  const [{ backend, shape, type }] = parts;
  const at = axisOf('concatenate', axis, shape.length);
  for (const [i, part] of parts.entries()) {
    const wanted = shape.map((length, each) => (each === at ? (part.shape[at] ?? length) : length));
    if (!sameShape(part.shape, wanted) || part.type !== type) {
      throw new ShapeError(
        `concatenate: tensors[${i}] is ${part.type} ${formatShape(part.shape)}, which does not fit ${type} ${formatShape(shape)} along axis ${at}.`,
      );
    }
  }
  const starts: number[] = [];
  let length = 0;
  for (const part of parts) {
    starts.push(length);
    length += part.shape[at];
  }
  const out = Tensor.empty(
    backend,
    shape.map((size, i) => (i === at ? length : size)),
    type,
  );
  for (const [i, part] of parts.entries()) put(part, out, at, starts[i]);
  return record(parts, out, (gradient, needed) => {
    const strides = denseStrides(gradient.shape);
    return parts.map((part, i) =>
      needed[i] ? stridedCopy('concatenate', gradient, part.shape, strides, starts[i] * strides[at]) : undefined,
    );
  });
}

/**
 * x repeated to a shape: axes of length 1, and missing ones in front; a copy. Arithmetic does so by itself.
 *
 * @throws ShapeError when x does not broadcast to it.
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  checkTensors('broadcastTo', { x });
  const axes = asShape('broadcastTo', shape);
  if (!sameShape(broadcastShapes('broadcastTo', x.shape, axes), axes)) {
    throw new ShapeError(`broadcastTo: shape ${formatShape(x.shape)} does not broadcast to ${formatShape(axes)}.`);
  }
  const out = stridedCopy('broadcastTo', x, axes, broadcastStrides(x.shape, axes));
  return record([x], out, (gradient) => [sumTo(gradient.view(), x.shape)]);
}
