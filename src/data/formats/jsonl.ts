import type { BadRecords, DataRecord } from '../records.ts';
import { lineBatches, NOT_TEXT } from './lines.ts';

export interface FieldOptions {
  /** Field, or column, that holds the text. Default `text`. */
  readonly text?: string;
  /** Field that holds the record's name. Default: none. */
  readonly id?: string;
  /** Field that holds what the record belongs to, for splits by group. Default: none. */
  readonly group?: string;
}

/**
 * Records of a JSONL file, plain or compressed: one JSON object a line. Blank lines are skipped.
 *
 * Added to `bad` are lines that are not UTF-8, no JSON object, or without a string that is not empty in the field.
 *
 * @throws in one sentence, while reading, for a missing, empty or damaged file and for a directory
 */
export async function* readJsonl(
  path: string,
  bad: BadRecords,
  options: FieldOptions = {},
): AsyncGenerator<DataRecord> {
  for await (const batch of lineBatches(path)) {
    for (const { text, line } of batch) {
      if (text?.trim() === '') continue;
      const result = text === undefined ? NOT_TEXT : parseRecord(text, options);
      if (typeof result === 'string') bad.add({ file: path, line, reason: result });
      else yield { ...result, file: path, line };
    }
  }
}

function parseRecord(text: string, options: FieldOptions): RecordFields | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `not JSON (${(error as Error).message})`;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'JSON, but no object';
  return recordFields(value as Record<string, unknown>, options);
}

type RecordFields = Pick<DataRecord, 'text' | 'id' | 'group'>;

/** What a record takes from an object, or why it cannot. */
export function recordFields(
  object: Readonly<Record<string, unknown>>,
  { text: textField = 'text', id: idField, group: groupField }: FieldOptions,
): RecordFields | string {
  const text = object[textField];
  if (text === undefined) {
    const fields = Object.keys(object)
      .slice(0, 8)
      .map((field) => JSON.stringify(field));
    return `no field ${JSON.stringify(textField)}; there is ${fields.join(', ') || 'none'}`;
  }
  if (typeof text !== 'string') return `${JSON.stringify(textField)} is ${text === null ? 'null' : `no text`}`;
  if (text === '') return `${JSON.stringify(textField)} is empty`;
  const id = idField === undefined ? undefined : asName(object[idField]);
  const group = groupField === undefined ? undefined : asName(object[groupField]);
  return { text, ...(id === undefined ? {} : { id }), ...(group === undefined ? {} : { group }) };
}

function asName(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' ? `${value}` : undefined;
}
