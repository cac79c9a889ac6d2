/** Looks through the numbers of a call's arrays, as far as the call reads or writes them. */
import type { UncheckedBackend } from '../checks/arrays.ts';
import { SEQUENCE_COLUMNS } from '../kernels.ts';
import type { FloatArray } from '../storage.ts';
import type { Call, CallArray } from './call.ts';

/** A number that no result should be, and its place. */
interface NotFinite {
  readonly value: number;
  readonly index: readonly number[];
}

export function firstNotFinite(backend: UncheckedBackend, call: Call, array: CallArray): NotFinite | undefined {
  if (array.isPartlyWritten || array.storage?.type === 'int32') return undefined;
  const numbers = numbersOf(backend, array);
  const isFine = array.holdsInfinities ? (value: number) => !Number.isNaN(value) : Number.isFinite;
  if (numbers.every(isFine)) return undefined;
  for (const index of indicesOf(backend, call, array)) {
    const value = numbers[offsetOf(array, index)];
    if (!isFine(value)) return { value, index };
  }
  return undefined;
}

/** Such as `[512, 256] from −3.1 to 2.9, 1 of 131072 not finite`. */
export function describeRange(backend: UncheckedBackend, call: Call, array: CallArray): string {
  const numbers = numbersOf(backend, array);
  let [least, greatest, count, notFinite] = [Infinity, -Infinity, 0, 0];
  for (const index of indicesOf(backend, call, array)) {
    const value = numbers[offsetOf(array, index)];
    count++;
    if (Number.isFinite(value)) {
      least = Math.min(least, value);
      greatest = Math.max(greatest, value);
    } else notFinite++;
  }
  const range = count === notFinite ? '' : ` from ${short(least)} to ${short(greatest)}`;
  const others = notFinite === 0 ? '' : `${range === '' ? '' : ','} ${notFinite} of ${count} not finite`;
  return `[${array.shape.join(', ')}]${range}${others}`;
}

const short = (value: number) => String(Number(value.toPrecision(3))).replace('-', '−');

function stridesOf({ shape, strides }: CallArray): readonly number[] {
  return strides ?? shape.map((_, axis) => shape.slice(axis + 1).reduce((product, length) => product * length, 1));
}

function offsetOf(array: CallArray, index: readonly number[]): number {
  return stridesOf(array).reduce((sum, stride, axis) => sum + stride * index[axis], 0);
}

function numbersOf(backend: UncheckedBackend, array: CallArray): Int32Array | FloatArray {
  const isEmpty = array.shape.includes(0);
  const last = array.shape.map((length) => length - 1);
  return backend.peek(array.storage!, isEmpty ? 0 : offsetOf(array, last) + 1);
}

/** Every index of the array, or where rows belong to sequences, of those rows. */
function* indicesOf(backend: UncheckedBackend, call: Call, array: CallArray): Generator<number[]> {
  if (!array.rows) {
    yield* indices(array.shape.map((length) => [0, length]));
    return;
  }
  const { storage, shape } = call.arrays.find(({ name }) => name === 'sequences')!;
  const sequences = backend.peek(storage!, shape[0] * SEQUENCE_COLUMNS);
  const [, heads, , ...width] = array.shape;
  for (let at = 0; at < sequences.length; at += SEQUENCE_COLUMNS) {
    const [batch, queryStart, queryLength, keyStart, keyLength] = sequences.subarray(at, at + SEQUENCE_COLUMNS);
    const [start, count] = array.rows === 'queries' ? [queryStart, queryLength] : [keyStart, keyLength];
    yield* indices([
      [batch, batch + 1],
      [0, heads],
      [start, start + count],
      ...width.map((d): [number, number] => [0, d]),
    ]);
  }
}

function* indices(ranges: readonly (readonly [first: number, end: number])[]): Generator<number[]> {
  if (ranges.length === 0) {
    yield [];
    return;
  }
  const [[first, end], ...others] = ranges;
  for (let i = first; i < end; i++) for (const rest of indices(others)) yield [i, ...rest];
}
