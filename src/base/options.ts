/**
 * The door for objects of options: unknown keys are refused with the nearest known key, as in configuration files, and
 * values of another type are refused by name. What a value means is checked where the value is used.
 */
import { ConfigurationError, DataError } from './errors.ts';
import { nearestKey } from './parse.ts';

/** What one option may be; `undefined` stands for the default and is always accepted. */
export interface OptionKind {
  /** For messages, such as `a boolean`. */
  readonly wanted: string;
  accepts(value: unknown): boolean;
}

/** Every option of `Options` by name: TypeScript refuses a table that lacks one or has one too many. */
export type OptionKinds<Options> = { readonly [Key in keyof Required<Options>]: OptionKind };

const ofType = (type: string, wanted: string): OptionKind => ({ wanted, accepts: (value) => typeof value === type });

/** Kinds of options. */
export const option = {
  boolean: ofType('boolean', 'true or false'),
  /** Any number, NaN included. */
  number: ofType('number', 'a number'),
  string: ofType('string', 'a string'),
  function: ofType('function', 'a function'),
  integer: { wanted: 'a whole number', accepts: Number.isSafeInteger },
  /** A whole number of at least 1. */
  count: {
    wanted: 'a whole number of at least 1',
    accepts: (value) => Number.isSafeInteger(value) && Number(value) >= 1,
  },
  /** A whole number of at least 0. */
  natural: {
    wanted: 'a whole number of at least 0',
    accepts: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
  },
  /** A whole number from 0 to `most`. */
  upTo: (most: number): OptionKind => ({
    wanted: `a whole number from 0 to ${most}`,
    accepts: (value) => Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= most,
  }),
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
      (Array.isArray(value) && value.every((each) => typeof each === 'number')) || isNumberView(value),
  },
  strings: {
    wanted: 'an array of strings',
    accepts: (value) => Array.isArray(value) && value.every((each) => typeof each === 'string'),
  },
  bytes: { wanted: 'a Uint8Array', accepts: (value) => value instanceof Uint8Array },
  map: { wanted: 'a Map', accepts: (value) => value instanceof Map },
  /** What `for await` takes, but no string. */
  iterable: {
    wanted: 'an array or another iterable, asynchronous ones included',
    accepts: (value) =>
      typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value),
  },
  signal: { wanted: 'an AbortSignal', accepts: (value) => isSignal(value) },
  oneOf: (...values: readonly string[]): OptionKind => ({
    wanted: values.map((value) => JSON.stringify(value)).join(' or '),
    accepts: (value) => values.includes(value as string),
  }),
  /** Instances of a class. */
  instance: (type: { readonly name: string; readonly prototype: object }): OptionKind => ({
    wanted: `a ${type.name}`,
    accepts: (value) => value instanceof (type as typeof Object),
  }),
  /** Objects that have these members, of whatever class. */
  having: (wanted: string, ...members: readonly string[]): OptionKind => ({
    wanted,
    accepts: (value) => typeof value === 'object' && value !== null && members.every((member) => member in value),
  }),
  optional: (kind: OptionKind): OptionKind => ({
    wanted: `${kind.wanted}, or nothing`,
    accepts: (value) => value === undefined || kind.accepts(value),
  }),
  either: (...kinds: readonly OptionKind[]): OptionKind => ({
    wanted: kinds.map(({ wanted }) => wanted).join(' or '),
    accepts: (value) => kinds.some((kind) => kind.accepts(value)),
  }),
} satisfies Record<string, OptionKind | ((...parameters: never) => OptionKind)>;

function isNumberView(value: unknown): boolean {
  return (
    ArrayBuffer.isView(value) && 'length' in value && !Object.prototype.toString.call(value).startsWith('[object Big')
  );
}

function isSignal(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value;
}

/**
 * Checks an object of options, given to `where`.
 *
 * @param options `undefined` stands for no options
 * @throws ConfigurationError naming the key that is unknown, with the nearest known key, or of another type.
 */
export function checkOptions<Options>(where: string, options: unknown, kinds: OptionKinds<Options>): void {
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new ConfigurationError(`The options of ${where} must be an object; got ${describe(options)}.`);
  }
  const known = kinds as Readonly<Record<string, OptionKind>>;
  for (const key of Object.keys(options)) {
    if (!Object.hasOwn(known, key)) {
      const nearest = nearestKey(key, Object.keys(known));
      const advice = nearest ? `did you mean "${nearest}"?` : `known keys are ${Object.keys(known).join(', ')}.`;
      throw new ConfigurationError(`Unknown key "${key}" in the options of ${where}: ${advice}`);
    }
    const value = (options as Readonly<Record<string, unknown>>)[key];
    if (value !== undefined && !known[key].accepts(value)) {
      throw new ConfigurationError(
        `Key "${key}" in the options of ${where} is invalid: expected ${known[key].wanted}, received ${describe(value)}.`,
      );
    }
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
  const name = Object.prototype.toString.call(value).slice(8, -1);
  const { constructor: maker } = value;
  const called = name === 'Object' && typeof maker === 'function' && maker.name !== '' ? maker.name : name;
  const noun = called === 'Object' ? 'plain object' : called;
  return `${/^[AEIOU]/.test(noun) ? 'an' : 'a'} ${noun}`;
}

/**
 * Checks the arguments of `where` by their names, as {@link checkOptions} does options: for values that the engine would
 * only refuse later, in words about something else.
 *
 * @throws DataError naming the argument that is of another kind.
 */
export function checkArguments<Values extends Readonly<Record<string, unknown>>>(
  where: string,
  values: Values,
  kinds: { readonly [Name in keyof Values]: OptionKind },
): void {
  for (const name in values) {
    if (kinds[name].accepts(values[name])) continue;
    throw new DataError(`${where}: ${name} is ${describe(values[name])}; give ${kinds[name].wanted}.`);
  }
}
