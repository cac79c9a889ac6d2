import type { Buffer } from 'node:buffer';
import type { Readable } from 'node:stream';
import type { Entry, ZipFile } from 'yauzl';
import { DataError, FileError, messageOf } from '../../../base/errors.ts';

/**
 * The files that an archive's directory lists, also of archives and entries beyond 4 GiB (ZIP64). The directory is at
 * the end, so an archive that is cut short has no directory.
 *
 * @throws FileError if the file is missing, DataError if it is no whole ZIP archive
 */
export async function zipEntries(path: string): Promise<Entry[]> {
  const archive = await openArchive(path);
  const entries: Entry[] = [];
  try {
    for await (const entry of archive.eachEntry()) entries.push(entry);
  } catch (error) {
    throw noArchive(path, error);
  } finally {
    archive.close();
  }
  return entries;
}

/**
 * The bytes of an entry in chunks, decompressed.
 *
 * @throws DataError, while reading, if they are damaged (by their CRC-32), cut short or compressed otherwise
 */
export async function* readZipEntry(path: string, entry: Entry): AsyncGenerator<Buffer> {
  const { crc32 } = await import('node:zlib');
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) {
    const method = `is compressed by method ${entry.compressionMethod}`;
    throw new DataError(`${called(entry)} in ${path} ${method}; store or deflate it.`);
  }
  const archive = await openArchive(path);
  let checksum = 0;
  let stream: Readable | undefined;
  try {
    stream = await archive.openReadStreamPromise(entry);
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      checksum = crc32(chunk, checksum);
      yield chunk;
    }
  } catch (error) {
    throw damaged(path, entry, messageOf(error));
  } finally {
    stream?.destroy();
    archive.close();
  }
  // The package yauzl checks sizes, but no checksums.
  if (checksum !== entry.crc32) throw damaged(path, entry, 'its checksum is another');
}

async function openArchive(path: string): Promise<ZipFile> {
  const { default: yauzl } = await import('yauzl');
  return yauzl.openPromise(path, { autoClose: false }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new FileError(`${path} does not exist; check the path.`);
    throw error.code === undefined ? noArchive(path, error) : error;
  });
}

/** An entry in messages. */
const called = ({ fileName: name }: Entry) => {
  if (name.trim() === '') return 'A file without a name';
  return name === name.trim() ? name : JSON.stringify(name);
};

const damaged = (path: string, entry: Entry, reason: string) =>
  new DataError(`${called(entry)} in ${path} cannot be read (${reason}); the file may be damaged or cut short.`);

const noArchive = (path: string, cause: unknown) =>
  new DataError(`${path} is no ZIP archive, or is cut short; check the file, or download it again.`, { cause });
