import { type OptionKinds, option } from '../../base/options.ts';
import { isBlank, lineBatches, NOT_TEXT } from './lines.ts';
import { reader } from './reader.ts';
import type { DataRecord } from './records.ts';

export interface FieldOptions {
  /** Field, or column, that holds the text. Default `text`. */
  readonly text?: string | undefined;
  /** Field that holds the record's name. Default: undefined. */
  readonly id?: string | undefined;
  /** Field that holds what the record belongs to, for splits by group. Default: undefined. */
  readonly group?: string | undefined;
}

export const fieldKinds: OptionKinds<FieldOptions> = { text: option.string, id: option.string, group: option.string };

/**
 * Records of a JSONL file, plain or compressed: one JSON object a line. Blank lines are skipped. NaN and Infinity,
 * which Python writes, are read as null.
 *
 * Added to `bad` are lines that are not UTF-8, no JSON object, or without a string that is not empty in the field.
 *
 * @throws FileError or DataError, while reading, for a missing, empty or damaged file and for a directory
 */
export const readJsonl = reader<FieldOptions>('readJsonl', fieldKinds, async function* (path, bad, options) {
  for await (const batch of lineBatches(path)) {
    for (const { text, line } of batch) {
      if (text !== undefined && isBlank(text)) continue;
      const result = text === undefined ? NOT_TEXT : parseRecord(text, options, path, line);
      if (typeof result === 'string') bad.add({ file: path, line, reason: result });
      else yield result;
    }
  }
});

function parseRecord(text: string, options: FieldOptions, file: string, line: number): DataRecord | string {
  const value = parseJsonLine(text);
  return typeof value === 'string' ? value : recordOf(value, options, file, line);
}

/**
 * The object of a line, or why the line has no object. NaN, Infinity and -Infinity, which Python's json and pandas
 * write, are null.
 */
export function parseJsonLine(text: string): Readonly<Record<string, unknown>> | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const fault = `not JSON (${(error as Error).message})`;
    if (!/NaN|Infinity/.test(text)) return fault;
    try {
      value = JSON.parse(withoutNonFinite(text));
    } catch {
      return fault;
    }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'JSON, but no object';
  return value as Record<string, unknown>;
}

/** JSON with null for the numbers that it does not have; strings stay. */
function withoutNonFinite(text: string): string {
  const parts: string[] = [];
  for (let at = 0; at < text.length; ) {
    const quote = text.indexOf('"', at);
    const start = quote < 0 ? text.length : quote;
    parts.push(text.slice(at, start).replace(/(?<![\w.])-?(?:NaN|Infinity)(?![\w.])/g, 'null'));
    at = afterString(text, start);
    parts.push(text.slice(start, at));
  }
  return parts.join('');
}

/** Where a string that starts with a quote has ended. */
function afterString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const quote = text.indexOf('"', at);
    if (quote < 0) break;
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
    at = quote;
  }
  return text.length;
}

/** The record that an object is, or why it is not a record. */
export function recordOf(
  object: Readonly<Record<string, unknown>>,
  { text: textField = 'text', id: idField, group: groupField }: FieldOptions,
  file: string,
  line: number,
): DataRecord | string {
  const text = object[textField];
  if (text === undefined) {
    const fields = Object.keys(object)
      .slice(0, 8)
      .map((field) => JSON.stringify(field));
    return `no field ${JSON.stringify(textField)}; there is ${fields.join(', ') || 'none'}`;
  }
  if (typeof text !== 'string') return `${JSON.stringify(textField)} is ${text === null ? 'null' : 'no text'}`;
  if (text === '') return `${JSON.stringify(textField)} is empty`;
  // As in plain text, where a NUL says that a file is something else.
  if (text.includes('\0')) return `${JSON.stringify(textField)} has a NUL character`;
  const record: { -readonly [K in keyof DataRecord]: DataRecord[K] } = { text, file, line };
  const id = idField === undefined ? undefined : asName(object[idField]);
  const group = groupField === undefined ? undefined : asName(object[groupField]);
  if (id !== undefined) record.id = id;
  if (group !== undefined) record.group = group;
  return record;
}

function asName(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' ? `${value}` : undefined;
}
