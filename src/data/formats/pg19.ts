import { open, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { DataError, FileError } from '../../base/errors.ts';
import { openText } from '../files.ts';
import { type BadRecords, type DataRecord, MAX_RECORD_BYTES } from '../records.ts';
import { stripGutenberg } from './gutenberg.ts';
import { lineFeeds } from './text.ts';

/** What `metadata.csv` says of a book. */
export interface BookMetadata {
  readonly title: string;
  readonly year: string;
  readonly url: string;
}

const METADATA = 'metadata.csv';
const BOOK = /\.txt(?:\.(?:gz|bz2|zst))?$/i;

/**
 * The books of a folder, one record each: PG-19 with its folders train/, validation/ and test/, or any folder of .txt files
 * (plain or compressed), deep as it may be. They come sorted by path; the record's file says which part a book belongs to.
 * Project Gutenberg's headers and licences are stripped, a byte order mark is dropped, CRLF becomes LF. A record's id is
 * the title that `metadata.csv` gives, else the name of the file without its ending.
 *
 * Added to `bad` are books that are empty, not UTF-8 or longer than 16 MiB, and lines of metadata.csv without the columns id, title, year, url.
 *
 * @throws in one sentence, while reading, if there is no such folder or no book in it
 */
export async function* readPg19(folder: string, bad: BadRecords): AsyncGenerator<DataRecord> {
  const books = await bookFiles(folder);
  const metadata = await readMetadata(folder, bad);
  for (const path of books) yield* readBook(path, bad, metadata);
}

/**
 * All books below a folder, sorted.
 *
 * @throws in one sentence, if there is no such folder or no book in it
 */
export async function bookFiles(folder: string): Promise<string[]> {
  const entry = await stat(folder).catch(() => undefined);
  if (!entry?.isDirectory()) {
    throw new FileError(
      `${folder} is no folder; give the folder that has the books, or train/, validation/ and test/.`,
    );
  }
  const entries = await readdir(folder, { recursive: true });
  const books = entries.filter((name) => BOOK.test(name)).map((name) => join(folder, name));
  if (books.length === 0)
    throw new FileError(`There is no .txt file in ${folder}; give the folder that has the books.`);
  return books.sort();
}

/** One book, or none if it cannot be used. */
export async function* readBook(
  path: string,
  bad: BadRecords,
  metadata: ReadonlyMap<string, BookMetadata> = new Map(),
): AsyncGenerator<DataRecord> {
  const name = basename(path).replace(BOOK, '');
  const id = metadata.get(name)?.title ?? name;
  let text = '';
  try {
    for await (const chunk of lineFeeds(openText(path))) {
      text += chunk;
      if (text.length > MAX_RECORD_BYTES) throw new DataError('the book is longer than 16 MiB');
    }
  } catch (error) {
    bad.add({ file: path, line: 1, reason: (error as Error).message });
    return;
  }
  text = stripGutenberg(text);
  if (text.trim() === '') bad.add({ file: path, line: 1, reason: 'there is no text besides header and licence' });
  else yield { text, id, file: path, line: 1 };
}

/** Rows of a folder's metadata.csv by id; none where there is no such file. A first row of headings is skipped. */
export async function readMetadata(folder: string, bad: BadRecords): Promise<Map<string, BookMetadata>> {
  const path = join(folder, METADATA);
  const books = new Map<string, BookMetadata>();
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return books;
  await file.close();
  let csv = '';
  for await (const chunk of openText(path)) csv += chunk;
  for (const { cells, line } of parseCsv(csv)) {
    const [id, title, year, url] = cells;
    if (id === undefined || title === undefined || year === undefined || url === undefined) {
      bad.add({ file: path, line, reason: `${cells.length} columns where there should be id, title, year and url` });
    } else if (line > 1 || /^\d+$/.test(id)) {
      books.set(id, { title, year, url });
    }
  }
  return books;
}

/** Rows of a CSV text as RFC 4180 has them: cells may be quoted, with `""` for a quote; blank lines are skipped. Linear time. */
export function* parseCsv(text: string): Generator<{ cells: string[]; line: number }> {
  const special = /[",\n]/g;
  let cells: string[] = [];
  let cell = '';
  let line = 1;
  let rowLine = 1;
  let at = 0;
  let isQuoted = false;
  const endRow = function* () {
    cells.push(cell.endsWith('\r') && !isQuoted ? cell.slice(0, -1) : cell);
    if (cells.length > 1 || cells[0] !== '') yield { cells, line: rowLine };
    cells = [];
    cell = '';
    rowLine = line;
  };
  while (at < text.length) {
    if (isQuoted) {
      const quote = text.indexOf('"', at);
      const end = quote < 0 ? text.length : quote;
      for (let i = text.indexOf('\n', at); i >= 0 && i < end; i = text.indexOf('\n', i + 1)) line++;
      cell += text.slice(at, end);
      if (text[end + 1] === '"') cell += '"';
      else isQuoted = false;
      at = end + (isQuoted ? 2 : 1);
      continue;
    }
    special.lastIndex = at;
    const found = special.exec(text);
    const end = found?.index ?? text.length;
    cell += text.slice(at, end);
    at = end + 1;
    if (found?.[0] === ',') {
      cells.push(cell);
      cell = '';
    } else if (found?.[0] === '"') {
      if (cell === '') isQuoted = true;
      else cell += '"';
    } else if (found) {
      line++;
      yield* endRow();
    }
  }
  if (cell !== '' || cells.length > 0) yield* endRow();
}
