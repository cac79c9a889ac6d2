/**
 * The door for arrays of JavaScript. Numbers are converted exactly, or to the nearest float32 where they are fractions,
 * or refused in one sentence. Every backend takes numbers in through here.
 */
import { DataError } from '../base/errors.ts';
import { describe } from '../base/options.ts';

/** Element types of a {@link Storage}. The reference backend keeps `float32` in float64. */
export type DataType = 'float32' | 'float64' | 'int32';

/** What {@link numbersFor} takes. A Uint16Array holds integers, also where a file's half-precision floats were read as such. */
export type NumberArray =
  | readonly number[]
  | readonly bigint[]
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** An array that a backend copies as it is: fixed memory that no other thread shares. */
export type PlainNumbers = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
const getter = (name: PropertyKey) => Object.getOwnPropertyDescriptor(typedArray, name)!.get!;
const tagOf = getter(Symbol.toStringTag);
const lengthOf = getter('length');
const bufferOf = getter('buffer');

const FLOATS = ['Float16Array', 'Float32Array', 'Float64Array'];
const INT32_LEAST = -(2 ** 31);
const INT32_GREATEST = 2 ** 31 - 1;

/** The name of the kind of typed array that `data` is, `Array`, or undefined. Neither other realms nor forgeries deceive it. */
function kindOf(data: unknown): string | undefined {
  return Array.isArray(data) ? 'Array' : (tagOf.call(data) as string | undefined);
}

/** Number of elements of what is an array of numbers, else undefined. */
export function countOf(data: unknown): number | undefined {
  const kind = kindOf(data);
  if (kind === undefined) return undefined;
  return kind === 'Array' ? (data as unknown[]).length : (lengthOf.call(data) as number);
}

/**
 * The type that `data` has by itself: `int32` for integer arrays and bigint, `float32` for float arrays and plain
 * arrays of numbers, whatever these hold.
 *
 * @throws DataError if `data` is no array of numbers.
 */
export function typeOfNumbers(where: string, data: unknown): 'float32' | 'int32' {
  const kind = kindOf(data);
  if (kind === undefined) {
    throw new DataError(`${where}: the numbers are ${describe(data)}; give an array of numbers or a typed array.`);
  }
  if (kind === 'Array') return typeof (data as unknown[])[0] === 'bigint' ? 'int32' : 'float32';
  return FLOATS.includes(kind) ? 'float32' : 'int32';
}

/**
 * `data` as numbers of `type`: a Float32Array, Float64Array or Int32Array, which is `data` itself where no conversion is needed.
 * Fractions are rounded to float32 when a backend of float32 stores them.
 *
 * @param where names the caller in errors
 * @throws DataError if `data` is no array of numbers
 * @throws DataError for a number that `type` cannot hold: a fraction or a number beyond int32, or a finite number
 *   beyond float32. An integer of a typed array or bigint must not be rounded by float32.
 */
export function numbersFor(where: string, data: unknown, type: DataType): PlainNumbers {
  const natural = typeOfNumbers(where, data);
  const kind = kindOf(data)!;
  if (kind !== 'Array') {
    const buffer = bufferOf.call(data) as ArrayBuffer & { readonly detached?: boolean; readonly resizable?: boolean };
    if (buffer.detached) {
      throw new DataError(
        `${where}: the memory of the ${kind} has been transferred away; give one that still holds numbers.`,
      );
    }
    if (kind === 'Int32Array' && type === 'int32') {
      return isPlain(data, buffer, Int32Array) ? data : new Int32Array(data as Int32Array);
    }
    if (kind === 'Float32Array' && type !== 'int32') {
      return isPlain(data, buffer, Float32Array) ? data : new Float32Array(data as Float32Array);
    }
  }
  const source = data as ArrayLike<unknown>;
  const count = countOf(data)!;
  const out = type === 'int32' ? new Int32Array(count) : new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const value = source[i];
    if (typeof value !== 'number' && typeof value !== 'bigint') {
      throw new DataError(
        `${where}: the value at position ${i} is ${describe(value)}; give numbers, in one flat array.`,
      );
    }
    const number = Number(value);
    const mustBeExact = natural === 'int32' || typeof value === 'bigint';
    const fits =
      type === 'int32'
        ? Number.isInteger(number) && number >= INT32_LEAST && number <= INT32_GREATEST
        : mustBeExact
          ? (type === 'float64' || Math.fround(number) === number) && BigInt(number) === BigInt(value)
          : type === 'float64' || Number.isFinite(Math.fround(number)) || !Number.isFinite(number);
    if (!fits) throw new DataError(`${where}: ${value} at position ${i} ${misfit(type, number)}`);
    out[i] = number;
  }
  return out;
}

/** Whether native code may copy `data` as it is. Arrays of other realms, of shared or growing memory, or with another length are not plain. */
function isPlain<T extends Int32Array | Float32Array>(
  data: unknown,
  buffer: ArrayBuffer & { readonly resizable?: boolean },
  type: { readonly prototype: T },
): data is T & PlainNumbers {
  return (
    Object.getPrototypeOf(data) === type.prototype &&
    buffer instanceof ArrayBuffer &&
    !buffer.resizable &&
    !Object.hasOwn(data as object, 'length')
  );
}

function misfit(type: DataType, value: number): string {
  if (type === 'int32' && !Number.isInteger(value)) return 'is not whole, as int32 numbers are.';
  return type === 'int32'
    ? 'is beyond int32, −2^31 to 2^31 − 1.'
    : 'cannot be held by float32; scale the numbers first.';
}
