/**
 * The door for objects of options. Unknown keys are refused with the nearest known key, as in configuration files.
 * Values of another type are refused by name. What a value means is checked where the value is used.
 */
import { ConfigurationError, DataError, messageOf, PerformersError } from './errors.ts';
import { nearestKey } from './parse-configuration.ts';
import { safeParse, type z } from './zod.ts';

/** What one option may be; `undefined` stands for the default and is always accepted. */
export interface OptionKind {
  /** For messages, such as `a boolean`. */
  readonly wanted: string;
  accepts(value: unknown): boolean;
  /** For kinds with members: the first member that is of another kind. */
  fault?(value: unknown): Fault | undefined;
}

/** Something inside a value that is not what it must be. */
interface Fault {
  /** From the value on, such as `.inputs` or `[2].text`. */
  readonly path: string;
  readonly value: unknown;
  readonly wanted: string;
}

/** A kind for each member: members that are not listed may be anything. */
type MemberKinds = Readonly<Record<string, OptionKind>>;

/** Every option of `Options` by name: TypeScript refuses a table that lacks one or has one too many. */
export type OptionKinds<Options> = { readonly [Key in keyof Required<Options>]: OptionKind };

const ofType = (type: string, wanted: string): OptionKind => ({ wanted, accepts: (value) => typeof value === type });

/** A whole number of at least `least`, and perhaps of at most `most`. */
const wholeFrom = (least: number, most?: number): OptionKind => ({
  wanted: most === undefined ? `a whole number of at least ${least}` : `a whole number from ${least} to ${most}`,
  accepts: (value) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= (most ?? Infinity),
});

/** Kinds of options. */
export const option = {
  boolean: ofType('boolean', 'true or false'),
  /** Any number, NaN included. */
  number: ofType('number', 'a number'),
  string: ofType('string', 'a string'),
  function: ofType('function', 'a function'),
  integer: { wanted: 'a whole number', accepts: Number.isSafeInteger },
  count: wholeFrom(1),
  countTo: (most: number) => wholeFrom(1, most),
  natural: wholeFrom(0),
  upTo: (most: number) => wholeFrom(0, most),
  array: { wanted: 'an array', accepts: (value) => Array.isArray(value) || ArrayBuffer.isView(value) },
  /** An array of anything, but no typed array. */
  list: { wanted: 'an array', accepts: (value) => Array.isArray(value) },
  object: { wanted: 'an object', accepts: (value) => typeof value === 'object' && value !== null },
  /** Checked by what takes the value. */
  any: { wanted: 'anything', accepts: () => true },
  /** Arrays and typed arrays of numbers; their numbers are checked where they are used. */
  numbers: {
    wanted: 'an array of numbers',
    accepts: (value) =>
      (Array.isArray(value) && everyElement(value, (each) => typeof each === 'number')) || isNumberView(value),
  },
  strings: {
    wanted: 'an array of strings',
    accepts: (value) => Array.isArray(value) && everyElement(value, (each) => typeof each === 'string'),
  },
  bytes: { wanted: 'a Uint8Array', accepts: (value) => value instanceof Uint8Array && ArrayBuffer.isView(value) },
  map: { wanted: 'a Map', accepts: (value) => isMap(value) },
  /** What the zod schemas of configurations give and take: neither arrays, maps nor instances of classes. */
  plain: { wanted: 'a plain object', accepts: (value) => isPlain(value) },
  /** What `for await` takes, but no string. */
  iterable: {
    wanted: 'an array or another iterable, asynchronous ones included',
    accepts: (value) =>
      isObject(value) &&
      [Symbol.iterator, Symbol.asyncIterator].some((key) => typeof (value as Row)[key] === 'function'),
  },
  signal: { wanted: 'an AbortSignal', accepts: (value) => isSignal(value) },
  oneOf: (...values: readonly string[]): OptionKind => ({
    wanted: values.map((value) => JSON.stringify(value)).join(' or '),
    accepts: (value) => values.includes(value as string),
  }),
  /** A typed array of one type, whichever realm made it. */
  view: (type: string): OptionKind => ({
    wanted: `${/^[AEIOU]/.test(type) ? 'an' : 'a'} ${type}`,
    accepts: (value) => ArrayBuffer.isView(value) && tagOf(value) === type,
  }),
  /** Instances of a class with private fields, known by one of these. */
  made: (wanted: string, is: (value: unknown) => boolean): OptionKind => ({ wanted, accepts: is }),
  /** Objects of whatever class whose members are of these kinds; `members` is read when the first value is checked. */
  having: (wanted: string, members: MemberKinds): OptionKind =>
    nested(wanted, isObject, (value) =>
      firstFault(Object.entries(members).map(([name, kind]) => [`.${name}`, kind, (value as Row)[name]])),
    ),
  /** Arrays whose elements are all of one kind. */
  listOf: (kind: OptionKind): OptionKind =>
    nested(`an array, each element ${kind.wanted}`, Array.isArray, (value) =>
      firstFault(Array.from(value as unknown[], (element, i) => [`[${i}]`, kind, element])),
    ),
  /** Plain objects whose values are all of one kind. */
  recordOf: (kind: OptionKind): OptionKind =>
    nested(`an object, each value ${kind.wanted}`, isPlain, (value) =>
      firstFault(Object.entries(value as object).map(([key, element]) => [`.${key}`, kind, element])),
    ),
  /** Maps from texts to values of one kind. */
  mapOf: (kind: OptionKind): OptionKind =>
    nested(`a Map from strings to ${kind.wanted}`, isMap, (value) =>
      firstFault(
        Array.from(value as Map<unknown, unknown>).flatMap(([key, element]) => [
          [' key', option.string, key],
          [`.get(${describe(key)})`, kind, element],
        ]),
      ),
    ),
  /** What a schema of zod gives: with all defaults filled in. */
  parsed: (wanted: string, schema: z.core.$ZodType): OptionKind =>
    nested(wanted, isPlain, (value) => {
      const result = safeParse(schema, value);
      const missing = Object.keys(result.data ?? {}).find((key) => !(key in (value as object)));
      const path = missing === undefined ? result.error?.issues[0]?.path : [missing];
      return path && { path: path.map((key) => `.${String(key)}`).join(''), value: valueAt(value, path), wanted };
    }),
  optional: (kind: OptionKind): OptionKind => ({
    wanted: `${kind.wanted}, or nothing`,
    accepts: (value) => value === undefined || kind.accepts(value),
    fault: (value) => kind.fault?.(value),
  }),
  either: (...kinds: readonly OptionKind[]): OptionKind => ({
    wanted: kinds.map(({ wanted }) => wanted).join(' or '),
    accepts: (value) => kinds.some((kind) => kind.accepts(value)),
  }),
} satisfies Record<string, OptionKind | ((...parameters: never) => OptionKind)>;

type Row = Readonly<Record<PropertyKey, unknown>>;

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inside, key) => (inside as Row)?.[key], value);
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

function nested(wanted: string, isContainer: (value: unknown) => boolean, find: (value: unknown) => Fault | undefined) {
  return {
    wanted,
    accepts: (value: unknown) => isContainer(value) && find(value) === undefined,
    fault: (value: unknown) => (isContainer(value) ? find(value) : undefined),
  };
}

function firstFault(
  members: readonly (readonly [path: string, kind: OptionKind, value: unknown])[],
): Fault | undefined {
  for (const [path, kind, value] of members) {
    if (kind.accepts(value)) continue;
    const inside = kind.fault?.(value);
    return inside ? { ...inside, path: `${path}${inside.path}` } : { path, value, wanted: kind.wanted };
  }
  return undefined;
}

/** Holes count as elements, unlike in `every`. */
function everyElement(values: readonly unknown[], accepts: (value: unknown) => boolean): boolean {
  for (let i = 0; i < values.length; i++) if (!accepts(values[i])) return false;
  return true;
}

/** Empty where the object cannot be read. */
function tagOf(value: unknown): string {
  try {
    return Object.prototype.toString.call(value).slice(8, -1);
  } catch {
    return '';
  }
}

/** Not a proxy or an object with the prototype alone: those have no size. */
function isMap(value: unknown): value is Map<unknown, unknown> {
  return value instanceof Map && isSizeReadable(value);
}

function isSizeReadable(map: Map<unknown, unknown>): boolean {
  try {
    return map.size >= 0;
  } catch {
    return false;
  }
}

/** Made by braces, `Object.create(null)` or JSON, in whatever realm. */
function isPlain(value: unknown): value is object {
  if (!isObject(value) || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || (tagOf(value) === 'Object' && Object.getPrototypeOf(prototype) === null);
}

function isNumberView(value: unknown): boolean {
  return ArrayBuffer.isView(value) && 'length' in value && !tagOf(value).startsWith('Big');
}

function isSignal(value: unknown): boolean {
  return (
    isObject(value) && 'aborted' in value && 'addEventListener' in value && typeof value.addEventListener === 'function'
  );
}

/**
 * Checks an object of options, given to `where`.
 *
 * @param options `undefined` stands for no options
 * @throws ConfigurationError naming the key that is unknown, with the nearest known key, or of another type.
 */
export function checkOptions<Options>(where: string, options: unknown, kinds: OptionKinds<Options>): void {
  if (options === undefined) return;
  if (!isPlain(options)) {
    throw new ConfigurationError(`The options of ${where} must be a plain object; got ${describe(options)}.`);
  }
  const known = kinds as MemberKinds;
  for (const key of Reflect.ownKeys(options)) {
    if (typeof key === 'symbol' || !Object.hasOwn(known, key)) {
      const nearest = nearestKey(String(key), Object.keys(known));
      const advice = nearest ? `did you mean "${nearest}"?` : `known keys are ${Object.keys(known).join(', ')}.`;
      throw new ConfigurationError(`Unknown key "${String(key)}" in the options of ${where}: ${advice}`);
    }
    const fault = faultOf(known[key], () => (options as Row)[key], true);
    if (fault) {
      throw new ConfigurationError(
        `Key "${key}${fault.path}" in the options of ${where} is invalid: expected ${fault.wanted}, received ${fault.received}.`,
        { cause: fault.cause },
      );
    }
  }
}

/** What is wrong with a value, which an accessor may refuse to give. */
function faultOf(kind: OptionKind, read: () => unknown, isOptional: boolean) {
  try {
    const value = read();
    if ((isOptional && value === undefined) || kind.accepts(value)) return undefined;
    const fault = kind.fault?.(value) ?? { path: '', value, wanted: kind.wanted };
    const received = describe(fault.value);
    const isHidden = received === fault.wanted;
    return { ...fault, received: isHidden ? `${received} behind a proxy` : received, cause: undefined };
  } catch (cause) {
    const received = `what cannot be read (${messageOf(cause)})`;
    return { path: '', wanted: kind.wanted, received, cause };
  }
}

/**
 * The elements of what a caller gave to iterate. A promise in its place is awaited, as nobody else would hear it reject.
 *
 * @throws DataError naming the first element that is of another kind.
 */
export async function* elementsOf<T>(
  where: string,
  name: string,
  given: Iterable<T> | AsyncIterable<T>,
  kind: OptionKind,
): AsyncGenerator<T> {
  const values = await given;
  checkArguments(where, { [name]: values }, { [name]: option.iterable });
  let i = 0;
  for await (const value of values) {
    const element = `${name}[${i++}]`;
    if (!kind.accepts(value)) checkArguments(where, { [element]: value }, { [element]: kind });
    yield value;
  }
}

/**
 * What `read` gives, where it reads elements that the caller made: an accessor among them may throw anything.
 *
 * @throws DataError naming `name` for errors that are not this package's.
 */
export function reading<T>(where: string, name: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof PerformersError) throw cause;
    throw new DataError(`${where}: ${name} cannot be read (${messageOf(cause)}); give plain values.`, { cause });
  }
}

/** A value for messages: `a Float32Array`, `"relo"`, `null`. Never throws. */
export function describe(value: unknown): string {
  if (typeof value === 'string')
    return value.length > 40 ? `a string of ${value.length} characters` : JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'symbol') return 'a symbol';
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    return describeObject(value);
  } catch {
    return 'an object that cannot be read';
  }
}

function describeObject(value: object): string {
  const name = tagOf(value);
  const { constructor: maker } = value;
  const called = name === 'Object' && typeof maker === 'function' && maker.name !== '' ? maker.name : name;
  const noun = called === 'Object' ? 'plain object' : called;
  return `${/^[AEIOU]/.test(noun) ? 'an' : 'a'} ${noun}`;
}

/**
 * Checks the arguments of `where` by their names, as {@link checkOptions} checks options. For values that the engine
 * would only refuse later, in words about something else.
 *
 * @throws DataError naming the argument that is of another kind.
 */
export function checkArguments<Values extends Readonly<Record<string, unknown>>>(
  where: string,
  values: Values,
  kinds: { readonly [Name in keyof Values]: OptionKind },
): void {
  for (const name in values) {
    const fault = faultOf(kinds[name], () => values[name], false);
    if (fault === undefined) continue;
    throw new DataError(`${where}: ${name}${fault.path} is ${fault.received}; give ${fault.wanted}.`, {
      cause: fault.cause,
    });
  }
}
