import { ShapeError } from '../base/errors.ts';
import { describe, reading } from '../base/options.ts';

/** Axis lengths of a tensor, outermost first. */
export type Shape = readonly number[];

/** Number of elements of a tensor of this shape. */
export function sizeOf(shape: Shape): number {
  let product = 1;
  for (const length of shape) product *= length;
  return product;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false;
  return true;
}

/** Axes whose product a backend could still count. */
const MAX_SIZE = Number.MAX_SAFE_INTEGER;

/**
 * A copy of a shape that comes from outside, which later changes of the array do not reach.
 *
 * @throws ShapeError unless it is an array of whole numbers that are not negative.
 */
export function asShape(where: string, shape: unknown): Shape {
  if (!Array.isArray(shape)) {
    throw new ShapeError(`${where}: the shape is ${describe(shape)}; give an array of axis lengths, such as [2, 3].`);
  }
  const axes = reading(where, 'the shape', (): unknown[] => [...shape]);
  const axis = axes.findIndex((length) => !(Number.isSafeInteger(length) && Number(length) >= 0));
  if (axis >= 0) {
    throw new ShapeError(
      `${where}: axis ${axis} of the shape is ${describe(axes[axis])}; axis lengths are whole numbers of at least 0.`,
    );
  }
  const lengths = axes as number[];
  if (!(sizeOf(lengths) <= MAX_SIZE)) {
    throw new ShapeError(`${where}: a tensor of shape ${formatShape(lengths)} has more elements than can be counted.`);
  }
  return Object.freeze(lengths);
}

/** `[2, 3, 5]` for messages. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** @throws ShapeError unless `actual` equals `expected`, naming `what`. */
export function checkShape(what: string, actual: Shape, expected: Shape): void {
  if (!sameShape(actual, expected)) {
    throw new ShapeError(`${what} has shape ${formatShape(actual)} where ${formatShape(expected)} is needed.`);
  }
}

/** Numbers of one parameter at most, 4 GiB: more is a slip, and would take minutes to draw. */
const MOST_NUMBERS = 2 ** 30;

/** @throws ShapeError for a parameter or projection that nobody can want. */
export function checkDrawable(shape: Shape): void {
  if (sizeOf(shape) <= MOST_NUMBERS) return;
  throw new ShapeError(
    `A parameter of shape ${formatShape(shape)} has more than ${MOST_NUMBERS} numbers: lower the sizes of its layer.`,
  );
}
