import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DataError, FileError } from '../../base/errors.ts';
import { expandPaths } from '../source/files.ts';
import type { PartName } from './documents.ts';

/** Formats that {@link openDataset} reads; names of files tell most of them. */
export const datasetFormats = [
  'text',
  'jsonl',
  'parquet',
  'wikipedia',
  'pg19',
  'fasta',
  'uniprot',
  'images',
  'labelled',
  'listops',
] as const;
export type DatasetFormat = (typeof datasetFormats)[number];

const ENDINGS: Readonly<Record<string, DatasetFormat>> = {
  txt: 'text',
  text: 'text',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  json: 'jsonl',
  parquet: 'parquet',
  xml: 'wikipedia',
  fasta: 'fasta',
  fa: 'fasta',
  faa: 'fasta',
  dat: 'uniprot',
  npz: 'images',
  png: 'images',
  jpg: 'images',
  jpeg: 'images',
};

/** The words that stand for a part in the names of files and folders, as the Hugging Face hub reads them. */
const PART_WORDS: readonly (readonly [PartName, RegExp])[] = [
  ['train', /(?:^|[^a-z0-9])(?:train|training)(?:[^a-z0-9]|$)/i],
  ['heldOut', /(?:^|[^a-z0-9])(?:validation|valid|val|dev)(?:[^a-z0-9]|$)/i],
  ['test', /(?:^|[^a-z0-9])(?:test|testing|eval|evaluation)(?:[^a-z0-9]|$)/i],
];

/** The format that a name's ending says, not counting .gz, .bz2 and .zst. Undefined for an ending without a format. */
export function formatOfName(name: string): DatasetFormat | undefined {
  const ending = basename(name)
    .replace(/\.(?:gz|bz2|zst|zstd)$/i, '')
    .split('.')
    .at(-1)!;
  // Object.hasOwn: an ending such as `constructor` is no format.
  return Object.hasOwn(ENDINGS, ending.toLowerCase()) ? ENDINGS[ending.toLowerCase()] : undefined;
}

/** Files of the Hugging Face hub that describe data and hold no data. */
const DESCRIPTIONS = /(?:^|\/)(?:dataset_infos?|dataset_dict|state|metadata|config)\.json$/;

/**
 * The files of a repository that are of the format or, without a format, of one that has files. Parquet comes before
 * JSONL before others, since the hub often has the same data as Parquet besides.
 */
export function chooseDataFiles(paths: readonly string[], format?: DatasetFormat): readonly string[] {
  const data = paths.filter((path) => !DESCRIPTIONS.test(path));
  const formats: DatasetFormat[] = format ? [format] : ['parquet', 'jsonl', 'text', 'fasta', 'uniprot', 'wikipedia'];
  for (const wanted of formats) {
    const byName = wanted === 'pg19' ? 'text' : wanted;
    const found = data.filter((path) => formatOfName(path) === byName);
    if (found.length > 0) return found;
  }
  return [];
}

/** The part that the name of a file says, or else the name of its folder. Undefined where neither does. */
export function partOfPath(path: string, format: DatasetFormat): PartName | undefined {
  // Books have titles for names.
  const names = format === 'pg19' ? [basename(dirname(path))] : [basename(path), basename(dirname(path))];
  for (const name of names) {
    const found = PART_WORDS.find(([, word]) => word.test(name));
    if (found) return found[0];
  }
  return undefined;
}

/**
 * Files that names, globs and folders stand for, sorted, each once, and their format where it was not given. A folder
 * stands for all files in it, however deep, whose names' endings say the format.
 *
 * @throws DataError for a name that gives no file, and where the names say several formats
 */
export async function findDataFiles(
  data: readonly string[],
  given?: DatasetFormat,
): Promise<{ format: DatasetFormat; files: string[] }> {
  const folders: string[] = [];
  const others: string[] = [];
  for (const name of data) {
    const isFolder = (await stat(name).catch(() => undefined))?.isDirectory() ?? false;
    (isFolder ? folders : others).push(name);
  }
  const files = others.length > 0 || folders.length === 0 ? await expandPaths(others) : [];
  const format = given ?? (await guessFormat(files, folders));
  for (const folder of folders) files.push(...(await filesOf(folder, format)));
  return { format, files: [...new Set(files)].sort() };
}

async function guessFormat(files: readonly string[], folders: readonly string[]): Promise<DatasetFormat> {
  const found = new Map<DatasetFormat, string>();
  for (const file of files) found.set(formatOfName(file) ?? 'text', file);
  for (const folder of folders) {
    const names = await readdir(folder, { recursive: true });
    // Only PG-19 has this file beside its texts.
    if (names.includes('metadata.csv') && names.some((name) => formatOfName(name) === 'text')) {
      found.set('pg19', folder);
      continue;
    }
    for (const name of names) {
      const format = formatOfName(name);
      if (format) found.set(format, join(folder, name));
    }
  }
  const [first, second] = [...found];
  if (first === undefined) {
    const endings = [...new Set(Object.keys(ENDINGS))].map((ending) => `.${ending}`).join(', ');
    throw new DataError(
      `Nothing in ${folders.join(', ')} is known as data (${endings}); name the files, or the format.`,
    );
  }
  if (second) {
    throw new DataError(
      `${first[1]} is ${first[0]} by its name, but ${second[1]} is ${second[0]}; name files of one format, or the format.`,
    );
  }
  return first[0];
}

/** Whether the ending of a name is one that files of the format have. */
function fits(name: string, format: DatasetFormat): boolean {
  if (format === 'listops') return /\.tsv(?:\.(?:gz|bz2|zst|zstd))?$/i.test(name);
  if (format === 'labelled') return /\.[ct]sv(?:\.(?:gz|bz2|zst|zstd))?$/i.test(name) || formatOfName(name) === 'jsonl';
  return formatOfName(name) === (format === 'pg19' ? 'text' : format);
}

async function filesOf(folder: string, format: DatasetFormat): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true });
  const files = entries.filter((name) => fits(name, format)).map((name) => join(folder, name));
  if (files.length === 0) throw new FileError(`${folder} has no file whose name says ${format}; name the files.`);
  return files;
}
