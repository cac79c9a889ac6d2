/** Reads the parts of a tokenizer.json: what the Rust library `tokenizers` reads is read, anything else is refused by name. */

import { DataError } from '../../base/errors.ts';
import { safeParse, z } from '../../base/zod.ts';
import { compileExpression } from '../expression.ts';

/** One object of a tokenizer.json, and where it stands. */
export interface Part {
  readonly json: Readonly<Record<string, unknown>>;
  /** The file, a colon and the keys that lead to the object, for errors. */
  readonly where: string;
  /** Compiles a regular expression of the Rust library's dialect. */
  readonly compile: (pattern: string, where: string) => RegExp;
}

/** The object under a key; undefined where the key is absent or null. @throws DataError for another value */
export function partAt({ json, where, compile }: Part, key: string): Part | undefined {
  const value = json[key];
  if (value === undefined || value === null) return undefined;
  const path = within(where, key);
  return { json: objectOf(value, path), where: path, compile };
}

/** The objects of a list. */
export function partsAt(part: Part, key: string): Part[] {
  const list = part.json[key];
  if (!Array.isArray(list)) throw new DataError(`${within(part.where, key)} is no list: restore the file from a copy.`);
  return list.map((value, i) => {
    const where = within(part.where, `${key}.${i}`);
    return { json: objectOf(value, where), where, compile: part.compile };
  });
}

/** The keys of a part start after the colon that follows the file's name. */
function within(where: string, path: string): string {
  return where.endsWith(':') ? `${where} ${path}` : `${where}.${path}`;
}

function objectOf(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new DataError(`${where} is no object: restore the file from a copy.`);
}

/**
 * The fields of an object, besides its type.
 *
 * @throws DataError that names the first key which is unknown, missing or of another kind
 */
export function fieldsOf<Shape extends z.core.$ZodLooseShape>(
  { json, where }: Part,
  shape: Shape,
): z.output<z.ZodMiniObject<Shape, z.core.$strict>> {
  const { type: _, ...fields } = json;
  const result = safeParse(z.strictObject(shape), fields);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  if (issue.code === 'unrecognized_keys') {
    throw new DataError(`${where} sets ${issue.keys[0]}, which is not supported: give a tokenizer without that key.`);
  }
  const reason = issue.message.replace(/^Invalid input: /, '').replace(/\.$/, '');
  throw new DataError(`${within(where, issue.path.join('.'))} is not valid (${reason}): restore the file from a copy.`);
}

/**
 * What the table holds for the type of an object.
 *
 * @throws DataError that names a type which is not in the table
 */
export function ofType<T>({ json, where }: Part, table: Readonly<Record<string, T>>): T {
  const { type } = json;
  if (typeof type === 'string' && Object.hasOwn(table, type)) return table[type]!;
  throw new DataError(
    `${where}.type is ${JSON.stringify(type)}, which is not supported: give one of ${Object.keys(table).join(', ')}.`,
  );
}

/** The schema of a field `pattern`. */
export const patternField = () =>
  z.union([z.strictObject({ String: z.string() }), z.strictObject({ Regex: z.string() })]);

/** The regular expression of a field `pattern`. */
export function regExpOf(field: z.output<ReturnType<typeof patternField>>, part: Part): RegExp {
  if ('Regex' in field) return part.compile(field.Regex, `${part.where}.pattern`);
  return compileExpression(escapeRegExp(field.String), 'gu');
}

export const escapeRegExp = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
