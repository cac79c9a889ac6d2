import { isUtf8 } from 'node:buffer';
import type { AsyncBuffer, FileMetaData } from 'hyparquet';
import { DataError, messageOf } from '../../../base/errors.ts';
import { readMagic } from '../../source/files.ts';
import { type FieldOptions, fieldKinds, recordOf } from '../jsonl.ts';
import { reader } from '../reader.ts';
import { loadDecompressors } from './decompressors.ts';
import { checkFooter, planReads } from './structure.ts';

/** Stands for text whose bytes are not UTF-8. */
const NOT_UTF8 = Symbol('not UTF-8');

/**
 * Rows of a Parquet file, such as the Hugging Face hub has: the text is a column of strings. In memory at a time are
 * the compressed bytes of one row group, and some of its pages. Only the columns that are asked for are read. A
 * record's line is its row, from 1.
 *
 * Added to `bad` are rows whose text is null, empty, no string or not UTF-8.
 *
 * @throws FileError or DataError, while reading, for a missing, empty or damaged file, a directory, and a column that is not there
 */
export const readParquet = reader<FieldOptions>('readParquet', fieldKinds, async function* (path, bad, options) {
  const { asyncBufferFromFile, parquetMetadataAsync } = await import('hyparquet');
  // Says what is wrong with a name that is no file.
  if ((await readMagic(path)).length === 0) throw new DataError(`${path} is empty; give a Parquet file.`);
  const file = await asyncBufferFromFile(path);
  const metadata = await orDamaged(path, async () => {
    await checkFooter(file);
    return parquetMetadataAsync(file);
  });
  const columns = columnsOf(path, metadata, options);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const groupFile = rememberReads(file);
    const groupStart = rowStart;
    const stops = await orDamaged(path, () => planReads(groupFile, group, columns));
    for (const stop of stops) {
      const rowEnd = groupStart + stop;
      const rows = await orDamaged(path, () => readRows(groupFile, metadata, columns, rowStart, rowEnd));
      for (const [i, row] of rows.entries()) {
        const isFaulty = Object.values(row).includes(NOT_UTF8);
        const line = rowStart + i + 1;
        const result = isFaulty ? 'not UTF-8' : recordOf(row, options, path, line);
        if (typeof result === 'string') bad.add({ file: path, line, reason: result });
        else yield result;
      }
      rowStart = rowEnd;
    }
  }
});

/** The file; no part is read from the disk twice. */
function rememberReads(file: AsyncBuffer): AsyncBuffer {
  const parts = new Map<string, ArrayBuffer>();
  return {
    byteLength: file.byteLength,
    async slice(start, end) {
      const key = `${start}–${end}`;
      const part = parts.get(key) ?? (await file.slice(start, end));
      parts.set(key, part);
      return part;
    },
  };
}

/** Rows `rowStart … rowEnd − 1`. */
async function readRows(
  file: AsyncBuffer,
  metadata: FileMetaData,
  columns: string[],
  rowStart: number,
  rowEnd: number,
): Promise<Record<string, unknown>[]> {
  const { parquetReadObjects } = await import('hyparquet');
  const compressors = await loadDecompressors();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const parsers = {
    stringFromBytes: (bytes: Uint8Array | undefined) => bytes && (isUtf8(bytes) ? decoder.decode(bytes) : NOT_UTF8),
  };
  const options = { file, metadata, columns, rowStart, rowEnd, compressors, parsers, geoparquet: false };
  const rows = await parquetReadObjects(options);
  if (rows.length !== rowEnd - rowStart)
    throw new DataError(`${rows.length} rows where ${rowEnd - rowStart} should be`);
  return rows;
}

function columnsOf(path: string, metadata: FileMetaData, { text = 'text', id, group }: FieldOptions): string[] {
  const [root, ...elements] = metadata.schema;
  // The schema is a tree in pre-order; columns are the root's children.
  const known: string[] = [];
  for (let at = 0; known.length < (root?.num_children ?? 0) && at < elements.length; ) {
    known.push(elements[at]!.name);
    for (let left = 1; left > 0 && at < elements.length; left--) left += elements[at++]!.num_children ?? 0;
  }
  const columns = [text, id, group].filter((column) => column !== undefined);
  const missing = columns.find((column) => !known.includes(column));
  if (missing !== undefined) {
    const names = known.map((name) => JSON.stringify(name)).join(', ');
    throw new DataError(`${path} has no column ${JSON.stringify(missing)}; name one of ${names}.`);
  }
  return [...new Set(columns)];
}

async function orDamaged<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const reason = messageOf(error);
    throw new DataError(`${path} cannot be read (${reason}); the file may be damaged, cut short or no Parquet file.`, {
      cause: error,
    });
  }
}
