/**
 * NumPy's broadcasting: shapes are aligned at their last axes, and an axis of length 1, or a missing one, is repeated. Arrays
 * are given to the kernels by strides, with as few axes as describe them.
 */
import { type Backend, MAX_AXES, type Storage } from '../../backend/types.ts';
import { DataError, ShapeError } from '../../base/errors.ts';
import { describe } from '../../base/options.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../shape.ts';
import { checkTensors, Tensor } from '../tensor.ts';

/** @throws DataError unless all are tensors of floats; LifetimeError if one was disposed or is of another backend. */
export function checkFloats(where: string, tensors: Readonly<Record<string, Tensor>>): void {
  checkTensors(where, tensors);
  for (const name in tensors) {
    if (tensors[name].type === 'int32') {
      throw new DataError(`${where}: ${name} holds int32 where floats are wanted; make it of a Float32Array.`);
    }
  }
}

/**
 * The index from 0 of an axis that may be counted from the end (−1 is the last). @throws ShapeError if the axis does
 * not exist.
 */
export function axisOf(where: string, axis: unknown, numAxes: number): number {
  const given = typeof axis === 'number' ? axis : Number.NaN;
  const index = given < 0 ? given + numAxes : given;
  if (Number.isInteger(index) && index >= 0 && index < numAxes) return index;
  throw new ShapeError(
    `${where}: axis ${describe(axis)} is not one of ${numAxes}: give a whole number from ${-numAxes} to ${numAxes - 1}.`,
  );
}

/** The shape that all broadcast to. @throws ShapeError naming the shapes. */
export function broadcastShapes(where: string, ...shapes: readonly Shape[]): Shape {
  const numAxes = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: numAxes }, (_, axis) => {
    const lengths = shapes.map((shape) => shape[axis - numAxes + shape.length] ?? 1);
    const length = lengths.find((each) => each !== 1) ?? 1;
    if (lengths.every((each) => each === 1 || each === length)) return length;
    throw new ShapeError(
      `${where}: shapes ${shapes.map(formatShape).join(' and ')} do not broadcast: aligned at their last axes, lengths must be equal or 1.`,
    );
  });
}

/** Strides of a dense array, in elements. */
export function denseStrides(shape: Shape): number[] {
  const strides: number[] = [];
  let stride = 1;
  for (const length of shape.toReversed()) {
    strides.unshift(stride);
    stride *= length;
  }
  return strides;
}

/** Strides of a dense array of `shape` that is repeated to the shape `to`. */
export function broadcastStrides(shape: Shape, to: Shape): number[] {
  const dense = denseStrides(shape);
  return to.map((_, axis) => {
    const own = axis - to.length + shape.length;
    return own < 0 || shape[own] === 1 ? 0 : dense[own];
  });
}

/** How a kernel walks arrays with strides. */
interface Layout {
  readonly layout: Storage;
  readonly numAxes: number;
  readonly count: number;
}

/**
 * Calls a kernel on arrays with strides along `shape`, which are walked along as few axes as describe them. Axes of
 * length 1 are dropped, and neighbours that all arrays walk alike become one axis.
 *
 * @param strides of every array, in the kernel's order
 * @throws ShapeError when more axes are left than the kernels take
 */
export function walk(
  where: string,
  backend: Backend,
  shape: Shape,
  strides: readonly (readonly number[])[],
  run: (layout: Layout) => void,
): void {
  const rows: number[][] = [];
  for (const [axis, length] of shape.entries()) {
    if (length === 1) continue;
    const row = [length, ...strides.map((own) => own[axis])];
    const outer = rows.at(-1);
    if (outer?.every((stride, i) => i === 0 || stride === row[i] * length))
      rows[rows.length - 1] = [outer[0] * length, ...row.slice(1)];
    else rows.push(row);
  }
  if (rows.length > MAX_AXES) {
    throw new ShapeError(
      `${where}: ${rows.length} axes are walked differently, more than ${MAX_AXES}: merge some by reshape.`,
    );
  }
  if (rows.length === 0) rows.push([1, ...strides.map(() => 0)]);
  const layout = backend.upload(Int32Array.from(rows.flat()));
  try {
    run({ layout, numAxes: rows.length, count: sizeOf(shape) });
  } finally {
    backend.release(layout);
  }
}

/** A copy of what strides say of `x`, from an element on, as a dense tensor. Not recorded. */
export function stridedCopy(where: string, x: Tensor, shape: Shape, strides: readonly number[], offset = 0): Tensor {
  const out = Tensor.empty(x.backend, shape, x.type);
  const from = offset === 0 ? x.storage : x.backend.slice(x.storage, offset, x.storage.length - offset);
  walk(where, x.backend, shape, [strides, denseStrides(shape)], (layout) => {
    x.backend.stridedCopy({ x: from, out: out.storage, ...layout });
  });
  return out;
}

/** Sums over given axes (indices from 0), which keep length 1. Not recorded. */
export function sumOver(x: Tensor, axes: readonly number[]): Tensor {
  const { backend, shape } = x;
  const isSummed = shape.map((length, axis) => axes.includes(axis) && length !== 1);
  const product = (lengths: Shape) => lengths.reduce((total, length) => total * length, 1);
  let sum = x.view();
  // Neighbouring axes become one; the last axes come first.
  for (let last = shape.length - 1; last >= 0; last--) {
    if (!isSummed[last]) continue;
    let first = last;
    while (first > 0 && (isSummed[first - 1] || shape[first - 1] === 1)) first--;
    const next = sum.shape.map((length, axis) => (axis >= first && axis <= last ? 1 : length));
    const outer = product(sum.shape.slice(0, first));
    const length = product(sum.shape.slice(first, last + 1));
    const out = Tensor.empty(backend, next);
    backend.sumAxis({ x: sum.storage, out: out.storage, outer, length, inner: product(next.slice(last + 1)) });
    sum.dispose();
    sum = out;
    last = first;
  }
  return sum;
}

/** The adjoint of broadcasting: sums `x` to `shape`. Takes `x` over, or gives a view of it. Not recorded. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const missing = x.shape.length - shape.length;
  const axes = [...x.shape.keys()].filter((axis) => axis < missing || shape[axis - missing] === 1);
  const sum = sumOver(x, axes);
  x.dispose();
  const result = sum.view(shape);
  sum.dispose();
  return result;
}
