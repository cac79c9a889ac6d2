import { isUtf8 } from 'node:buffer';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError, FileError } from '../../base/errors.ts';
import type { LabelledRecord } from '../labelled.ts';
import { type BadRecords, MAX_RECORD_BYTES } from '../records.ts';
import { lineBlocks } from './line-blocks.ts';
import { lineBatches, NOT_TEXT } from './lines.ts';

/** The folders of IMDb's reviews, in the order of their labels there. */
const IMDB = ['neg', 'pos'];

export interface LabelledFolderOptions {
  /**
   * Names of the folders, the first for class 0. Default: neg and pos where both are there (IMDb, whose unsup folder
   * has no labels), else all folders, sorted.
   */
  readonly classes?: readonly string[];
}

/** The classes of a folder of folders. @throws in one sentence, if there is none */
export async function labelledFolderClasses(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new FileError(
      `${folder} is no folder that can be read; give one with a folder of .txt files for each class.`,
      {
        cause: error,
      },
    );
  });
  const names = entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort();
  if (names.length === 0) throw new FileError(`${folder} holds no folders; give one with a folder for each class.`);
  return IMDB.every((name) => names.includes(name)) ? IMDB : names;
}

/**
 * Texts in a folder for each class, one .txt file each, plain or compressed (.txt.gz, .bz2, .zst), in the order of
 * classes and names. Files that are empty, damaged or not UTF-8 are added to `bad`.
 *
 * @throws in one sentence, if a folder is missing or none has a text
 */
export async function* readLabelledFolder(
  folder: string,
  bad: BadRecords,
  options: LabelledFolderOptions = {},
): AsyncGenerator<LabelledRecord> {
  const classes = options.classes ?? (await labelledFolderClasses(folder));
  let count = 0;
  for (const [label, name] of classes.entries()) {
    const files = await readdir(join(folder, name)).catch((error: unknown) => {
      throw new FileError(`${join(folder, name)} is no folder that can be read; check the names of the classes.`, {
        cause: error,
      });
    });
    for (const file of files.filter((file) => /\.txt(\.(gz|bz2|zst))?$/.test(file)).sort()) {
      count++;
      const path = join(folder, name, file);
      const result = await readWhole(path);
      if ('reason' in result) bad.add({ file: path, line: 1, reason: result.reason });
      else yield { text: result.text, label, id: file, file: path, line: 1 };
    }
  }
  if (count === 0) throw new FileError(`${folder} holds no .txt file in ${classes.join(', ')}; check the folder.`);
}

async function readWhole(path: string): Promise<{ text: string } | { reason: string }> {
  const blocks: Buffer[] = [];
  let length = 0;
  try {
    for await (const block of lineBlocks(path)) {
      blocks.push(Buffer.from(block));
      length += block.length;
      if (length > MAX_RECORD_BYTES) return { reason: 'longer than 16 MiB' };
    }
  } catch (error) {
    return { reason: (error as Error).message };
  }
  const bytes = Buffer.concat(blocks);
  if (bytes.includes(0)) return { reason: 'a NUL byte, or a line longer than 16 MiB' };
  return isUtf8(bytes) ? { text: bytes.toString('utf8') } : { reason: 'not UTF-8' };
}

export interface LabelledTableOptions {
  /** Column or field of the text. Default `text`. */
  readonly text?: string;
  /** Column or field of the label. Default `label`. */
  readonly label?: string;
  /** Names of the classes, the first for class 0. Default: labels are integers from 0. */
  readonly classes?: readonly string[];
}

/**
 * Texts with labels from a file of JSON lines, or of tab-separated columns with a line of names first; plain or
 * compressed. A line that begins with `{` tells JSON. A column in quotes, as writers of CSV quote it, is taken out of
 * them; columns do not run over several lines.
 *
 * Added to `bad` are lines that are not UTF-8, no JSON object or with another number of columns, and those whose text is
 * no text or empty, or whose label is no class.
 *
 * @throws in one sentence, while reading, for a missing, empty or damaged file and for a table without the columns
 */
export async function* readLabelledTable(
  path: string,
  bad: BadRecords,
  options: LabelledTableOptions = {},
): AsyncGenerator<LabelledRecord> {
  let columns: readonly string[] | undefined;
  let isJson: boolean | undefined;
  for await (const batch of lineBatches(path)) {
    for (const { text, line } of batch) {
      if (text?.trim() === '') continue;
      isJson ??= text?.trimStart().startsWith('{') ?? false;
      if (!isJson && columns === undefined) {
        columns = tableHead(text, path, options);
        continue;
      }
      const fields = text === undefined ? NOT_TEXT : isJson ? jsonFields(text) : tableFields(text, columns!);
      const result = typeof fields === 'string' ? fields : labelledFields(fields, options);
      if (typeof result === 'string') bad.add({ file: path, line, reason: result });
      else yield { ...result, file: path, line };
    }
  }
}

function tableHead(text: string | undefined, path: string, options: LabelledTableOptions): string[] {
  const columns = (text ?? '').split('\t').map(unquote);
  for (const name of [options.text ?? 'text', options.label ?? 'label']) {
    if (columns.includes(name)) continue;
    throw new DataError(
      `${path} has no column ${JSON.stringify(name)} but ${columns.slice(0, 8).map((c) => JSON.stringify(c.slice(0, 40)))}; ` +
        'name the columns of the text and of the label.',
    );
  }
  return columns;
}

type Fields = Readonly<Record<string, unknown>>;

function tableFields(text: string, columns: readonly string[]): Fields | string {
  const values = text.split('\t').map(unquote);
  if (values.length !== columns.length) return `${values.length} columns instead of ${columns.length}`;
  return Object.fromEntries(values.map((value, i) => [columns[i]!, value]));
}

/** Takes a value out of its quotes, unless it has others than doubled ones inside. */
function unquote(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value;
  const inside = value.slice(1, -1);
  return inside.replaceAll('""', '').includes('"') ? value : inside.replaceAll('""', '"');
}

function jsonFields(text: string): Fields | string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
    return 'JSON, but no object';
  } catch (error) {
    return `not JSON (${(error as Error).message})`;
  }
}

function labelledFields(
  fields: Fields,
  { text: textName = 'text', label: labelName = 'label', classes }: LabelledTableOptions,
): Pick<LabelledRecord, 'text' | 'label'> | string {
  const text = fields[textName];
  if (typeof text !== 'string') return `${JSON.stringify(textName)} is ${text === undefined ? 'missing' : 'no text'}`;
  if (text === '') return `${JSON.stringify(textName)} is empty`;
  const value = fields[labelName];
  const label = classes === undefined ? asInteger(value) : classes.indexOf(String(value));
  if (label === undefined || label < 0) {
    const expected =
      classes === undefined ? 'an integer from 0; name the classes otherwise' : `one of ${classes.join(', ')}`;
    return `${JSON.stringify(labelName)} is ${JSON.stringify(value) ?? 'missing'}, not ${expected}`;
  }
  return { text, label };
}

function asInteger(value: unknown): number | undefined {
  if (typeof value === 'string' && /^\d{1,9}$/.test(value)) return Number(value);
  return typeof value === 'number' && Number.isInteger(value) ? value : undefined;
}
