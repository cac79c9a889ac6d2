import { isUtf8 } from 'node:buffer';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError, FileError } from '../../base/errors.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import { parseJsonLine } from './jsonl.ts';
import { isBlank, lineBatches, lineBlocks, NOT_TEXT } from './lines.ts';
import { reader } from './reader.ts';
import { type BadRecords, badRecordsKind, type LabelledRecord, MAX_RECORD_BYTES } from './records.ts';
import { type TableRow, TableRows } from './table-rows.ts';

/** The folders of IMDb's reviews, in the order of their labels there. */
const IMDB = ['neg', 'pos'];

export interface LabelledFolderOptions {
  /**
   * Names of the folders, the first for class 0. Default: neg and pos where both are there (IMDb, whose unsup folder
   * has no labels), else all folders, sorted.
   */
  readonly classes?: readonly string[] | undefined;
}

/** The classes of a folder of folders. @throws DataError if the folder has no classes */
export async function labelledFolderClasses(folder: string): Promise<string[]> {
  checkArguments('labelledFolderClasses', { folder }, { folder: option.string });
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
 * @throws DataError if a folder is missing or no folder has a text
 */
export async function* readLabelledFolder(
  folder: string,
  bad: BadRecords,
  options: LabelledFolderOptions = {},
): AsyncGenerator<LabelledRecord> {
  checkArguments('readLabelledFolder', { folder, bad }, { folder: option.string, bad: badRecordsKind });
  checkOptions<LabelledFolderOptions>('readLabelledFolder', options, { classes: option.strings });
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
  readonly text?: string | undefined;
  /** Column or field of the label. Default `label`. */
  readonly label?: string | undefined;
  /** Names of the classes, the first for class 0. Default: labels are integers from 0. */
  readonly classes?: readonly string[] | undefined;
}

/**
 * Texts with labels from a file of JSON lines, or of tab- or comma-separated columns with a line of names first; plain or
 * compressed. A line that begins with `{` tells JSON, a tab in the first line tells tabs. Cells in quotes, as writers of CSV
 * quote them, may run over several lines: see {@link TableRows}.
 *
 * Added to `bad` are lines that are not UTF-8, no JSON object or with another number of columns. So are lines whose
 * text is no text or empty, or whose label is no class.
 *
 * @throws FileError or DataError, while reading, for a missing, empty or damaged file and for a table without the columns
 */
export const readLabelledTable = reader<LabelledTableOptions, LabelledRecord>(
  'readLabelledTable',
  { text: option.string, label: option.string, classes: option.strings },
  async function* (path, bad, options) {
    const record = (fields: Fields | string, line: number): LabelledRecord | undefined => {
      const result = typeof fields === 'string' ? fields : labelledFields(fields, options);
      if (typeof result !== 'string') return { ...result, file: path, line };
      bad.add({ file: path, line, reason: result });
      return undefined;
    };
    let columns: readonly string[] | undefined;
    /** Of a row; undefined for the first, which names the columns. */
    const rowRecord = ({ cells, line }: TableRow): LabelledRecord | undefined => {
      if (columns !== undefined) return record(cells === undefined ? NOT_TEXT : tableFields(cells, columns), line);
      columns = tableHead(cells ?? [], path, options);
      return undefined;
    };
    let isJson: boolean | undefined;
    let rows: TableRows | undefined;
    for await (const batch of lineBatches(path)) {
      for (const line of batch) {
        const { text } = line;
        if (isJson === undefined) {
          if (text !== undefined && isBlank(text)) continue;
          isJson = text?.trimStart().startsWith('{') ?? false;
          rows = new TableRows(text?.includes('\t') ? '\t' : ',');
        }
        const found = isJson
          ? text !== undefined && isBlank(text)
            ? []
            : [record(text === undefined ? NOT_TEXT : parseJsonLine(text), line.line)]
          : rows!.push(line).map(rowRecord);
        for (const one of found) if (one) yield one;
      }
    }
    for (const row of rows?.end() ?? []) {
      const last = rowRecord(row);
      if (last) yield last;
    }
  },
);

function tableHead(columns: readonly string[], path: string, options: LabelledTableOptions): readonly string[] {
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

function tableFields(values: readonly string[], columns: readonly string[]): Fields | string {
  if (values.length !== columns.length) return `${values.length} columns instead of ${columns.length}`;
  return Object.fromEntries(values.map((value, i) => [columns[i]!, value]));
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
      classes === undefined
        ? 'an integer from 0; list the labels in "classes" if they are names'
        : `one of ${classes.join(', ')}`;
    return `${JSON.stringify(labelName)} is ${JSON.stringify(value) ?? 'missing'}, not ${expected}`;
  }
  return { text, label };
}

function asInteger(value: unknown): number | undefined {
  if (typeof value === 'string' && /^\d{1,9}$/.test(value)) return Number(value);
  return typeof value === 'number' && Number.isInteger(value) ? value : undefined;
}
