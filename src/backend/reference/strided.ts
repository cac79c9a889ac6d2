import type { BinaryArguments, BinaryKind, SelectArguments, Storage, StridedCopyArguments } from '../types.ts';
import { floats, integers } from './storage.ts';

/** Calls `visit` for every element, in row-major order, with its number and where it is in each array. */
function forElements(
  { layout, numAxes, count }: { readonly layout: Storage; readonly numAxes: number; readonly count: number },
  numArrays: number,
  visit: (element: number, ...places: number[]) => void,
): void {
  const table = integers(layout, numAxes * (1 + numArrays));
  for (let element = 0; element < count; element++) {
    const places = new Array<number>(numArrays).fill(0);
    let rest = element;
    for (let axis = numAxes - 1; axis >= 0; axis--) {
      const [length, ...strides] = table.subarray(axis * (1 + numArrays), (axis + 1) * (1 + numArrays));
      for (let array = 0; array < numArrays; array++) places[array] += (rest % length) * strides[array];
      rest = Math.floor(rest / length);
    }
    visit(element, ...places);
  }
}

/** The numbers of a storage of any type. */
function numbers(storage: Storage): Float64Array | Int32Array {
  return storage.type === 'int32' ? integers(storage) : floats(storage);
}

export function stridedCopy(args: StridedCopyArguments): void {
  const [source, target] = [numbers(args.x), numbers(args.out)];
  forElements(args, 2, (_, from, to) => {
    target[to] = source[from];
  });
}

const operations: Record<BinaryKind, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
};

export function binary(args: BinaryArguments): void {
  const [left, right, target] = [args.a, args.b, args.out].map((array) => floats(array));
  forElements(args, 2, (element, i, j) => {
    target[element] = operations[args.kind](left[i], right[j]);
  });
}

export function select(args: SelectArguments): void {
  const [choice, left, right, target] = [args.condition, args.a, args.b, args.out].map((array) => floats(array));
  forElements(args, 3, (element, c, i, j) => {
    target[element] = choice[c] !== 0 ? left[i] : right[j];
  });
}
