import { ShapeError } from '../base/errors.ts';

/** Axis lengths of a tensor, outermost first. */
export type Shape = readonly number[];

/** Number of elements of a tensor of this shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, length) => product * length, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/** `[2, 3, 5]` for messages. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** @throws unless `actual` equals `expected`, naming `what`. */
export function checkShape(what: string, actual: Shape, expected: Shape): void {
  if (!sameShape(actual, expected)) {
    throw new ShapeError(`${what} has shape ${formatShape(actual)} where ${formatShape(expected)} is needed.`);
  }
}
