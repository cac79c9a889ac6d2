/**
 * JSON that comes from outside. A value that is deeper than any useful file would exhaust the stack of whatever walks
 * over it.
 */
import { DataError, messageOf } from './errors.ts';
import { describe, option } from './options.ts';

/** Arrays and objects within each other, at most. */
export const MAX_JSON_DEPTH = 100;

/**
 * The value of a JSON text. O(length).
 *
 * @param fault makes the error that says why the text is refused: it "is not JSON", or "is nested deeper than …"
 */
export function parseJsonText(text: string, fault: (why: string, cause?: unknown) => Error): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fault('is not JSON', error);
  }
  if (isDeep(value)) throw fault(`is nested deeper than ${MAX_JSON_DEPTH} levels`);
  return value;
}

/** `value` as JSON. @throws DataError where it holds what JSON cannot, such as a bigint or itself. */
export function jsonOf(what: string, value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw new DataError(`${what} cannot be written as JSON (${messageOf(cause)}); give plain data.`, { cause });
  }
}

/**
 * Checks a value that a caller gives as the contents of a JSON file.
 *
 * @throws DataError unless it is what JSON.parse may give, nested at most {@link MAX_JSON_DEPTH} levels deep
 */
export function checkJson(value: unknown, where: string): void {
  const refuse = (what: unknown) => {
    throw new DataError(`${where} holds ${describe(what)}, which JSON cannot: give what JSON.parse() returns.`);
  };
  if (!isJson(value)) refuse(value);
  if (isDeep(value, refuse)) {
    throw new DataError(`${where} is nested deeper than ${MAX_JSON_DEPTH} levels: give a file that is not damaged.`);
  }
}

/** Whether JSON can hold `value` itself; `undefined` stands for a key that is left out. */
function isJson(value: unknown): boolean {
  if (isObject(value)) return Array.isArray(value) || option.plain.accepts(value);
  return !['symbol', 'bigint', 'function'].includes(typeof value);
}

/**
 * Goes level by level, as a recursion would exhaust the stack itself. The limit also ends the walk over a value that
 * holds itself.
 */
function isDeep(value: unknown, refuse?: (what: unknown) => void): boolean {
  let level: object[] = isObject(value) ? [value] : [];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_JSON_DEPTH) return true;
    const next: object[] = [];
    for (const outer of level) {
      for (const inner of Object.values(outer)) {
        if (refuse && !isJson(inner)) refuse(inner);
        if (isObject(inner)) next.push(inner);
      }
    }
    level = next;
  }
  return false;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
