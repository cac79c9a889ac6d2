import { open, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { DataError, FileError } from '../../base/errors.ts';
import { checkArguments, option } from '../../base/options.ts';
import { openText } from '../source/files.ts';
import { stripGutenberg } from './gutenberg.ts';
import { lineBatches, NOT_TEXT } from './lines.ts';
import { type BadRecords, badRecordsKind, type DataRecord, MAX_RECORD_BYTES } from './records.ts';
import { type TableRow, TableRows } from './table-rows.ts';
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
 * The books of a folder, one record each. The folder is PG-19 with its folders train/, validation/ and test/, or any
 * folder of .txt files (plain or compressed), deep as it may be. They come sorted by path; the record's file says which
 * part a book belongs to. Project Gutenberg's headers and licences are stripped, a byte order mark is dropped, CRLF
 * becomes LF. A record's id is the title that `metadata.csv` gives, else the name of the file without its ending.
 *
 * Added to `bad` are books that are empty, not UTF-8 or longer than 16 MiB. So are lines of metadata.csv without the
 * columns id, title, year, url.
 *
 * @throws FileError, while reading, if the folder does not exist or has no book in it
 */
export async function* readPg19(folder: string, bad: BadRecords): AsyncGenerator<DataRecord> {
  checkArguments('readPg19', { folder, bad }, { folder: option.string, bad: badRecordsKind });
  const books = await bookFiles(folder);
  const metadata = await readMetadata(folder, bad);
  for (const path of books) yield* readBook(path, bad, metadata);
}

/**
 * All books below a folder, sorted.
 *
 * @throws FileError if the folder does not exist or has no book in it
 */
async function bookFiles(folder: string): Promise<string[]> {
  checkArguments('bookFiles', { folder }, { folder: option.string });
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

/** One book; undefined if it cannot be used. */
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

/** Rows of a folder's metadata.csv by id; no rows where the file is missing. A first row of headings is skipped. */
export async function readMetadata(folder: string, bad: BadRecords): Promise<Map<string, BookMetadata>> {
  const path = join(folder, METADATA);
  const books = new Map<string, BookMetadata>();
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return books;
  await file.close();
  const rows = new TableRows(',');
  const add = ({ cells, line }: TableRow) => {
    const [id, title, year, url] = cells ?? [];
    if (id === undefined || title === undefined || year === undefined || url === undefined) {
      const reason = `${cells?.length} columns where there should be id, title, year and url`;
      bad.add({ file: path, line, reason: cells ? reason : NOT_TEXT });
    } else if (line > 1 || /^\d+$/.test(id)) {
      books.set(id, { title, year, url });
    }
  };
  for await (const batch of lineBatches(path)) for (const line of batch) rows.push(line).forEach(add);
  rows.end().forEach(add);
  return books;
}
