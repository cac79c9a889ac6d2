import { Buffer } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { DataError, FileError, messageOf } from '../../../base/errors.ts';

/** A file inside a ZIP archive. */
export interface ZipEntry {
  readonly name: string;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly compressedSize: number;
  readonly size: number;
  readonly crc32: number;
  /** Where the entry's own header starts. */
  readonly offset: number;
}

const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const UNKNOWN_16 = 0xffff;
const UNKNOWN_32 = 0xffffffff;
/** Extra field with sizes of 64 bits. */
const EXTRA_64 = 1;
const READ_SIZE = 1 << 18;

/**
 * The files that an archive's directory lists, also of archives and entries beyond 4 GiB (ZIP64). The directory stands at
 * the end, so an archive that is cut short has none.
 *
 * @throws in one sentence, if the file is missing or no whole ZIP archive
 */
export async function zipEntries(path: string): Promise<ZipEntry[]> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new FileError(`${path} does not exist; check the path.`) : error;
  });
  try {
    const { count, size, offset } = await findDirectory(file, path);
    const entries = parseDirectory(await read(file, offset, size, path), count, path);
    // What an archive holds stands before its directory.
    const outside = entries.find((entry) => entry.offset + entry.compressedSize > offset);
    if (outside) throw damaged(path, called(outside), 'the directory names bytes that are not there');
    return entries;
  } finally {
    await file.close();
  }
}

/**
 * The bytes of an entry in chunks, decompressed.
 *
 * @throws in one sentence, while reading, if they are damaged (by their CRC-32), cut short or compressed otherwise
 */
export async function* readZipEntry(path: string, entry: ZipEntry): AsyncGenerator<Buffer> {
  const { crc32, createInflateRaw } = await import('node:zlib');
  if (entry.method !== 0 && entry.method !== 8) {
    throw new DataError(`${called(entry)} in ${path} is compressed by method ${entry.method}; store or deflate it.`);
  }
  if (entry.compressedSize === 0) return;
  const start = await dataOffset(path, entry);
  const source = createReadStream(path, { start, end: start + entry.compressedSize - 1, highWaterMark: READ_SIZE });
  let checksum = 0;
  let size = 0;
  try {
    const inflate = entry.method === 8 ? createInflateRaw({ chunkSize: READ_SIZE }) : undefined;
    if (inflate) source.on('error', (error) => inflate.destroy(error));
    const chunks = (inflate ? source.pipe(inflate) : source) as AsyncIterable<Buffer>;
    for await (const chunk of chunks) {
      checksum = crc32(chunk, checksum);
      size += chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw damaged(path, called(entry), messageOf(error));
  } finally {
    source.destroy();
  }
  if (size !== entry.size) throw damaged(path, called(entry), `${size} bytes, not ${entry.size}`);
  if (checksum !== entry.crc32) throw damaged(path, called(entry), 'its checksum is another');
}

/** An entry in messages. */
const called = ({ name }: ZipEntry) => {
  if (name.trim() === '') return 'A file without a name';
  return name === name.trim() ? name : JSON.stringify(name);
};

const damaged = (path: string, name: string, reason: string) =>
  new DataError(`${name} in ${path} cannot be read (${reason}); the file may be damaged or cut short.`);

const noArchive = (path: string) =>
  new DataError(`${path} is no ZIP archive, or is cut short; check the file, or download it again.`);

async function read(file: FileHandle, offset: number, length: number, path: string): Promise<Buffer> {
  if (offset < 0) throw noArchive(path);
  const buffer = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, offset + done);
    if (bytesRead === 0) throw noArchive(path);
    done += bytesRead;
  }
  return buffer;
}

async function findDirectory(file: FileHandle, path: string): Promise<{ count: number; size: number; offset: number }> {
  const { size: fileSize } = await file.stat();
  const tailSize = Math.min(fileSize, 22 + UNKNOWN_16);
  const tail = await read(file, fileSize - tailSize, tailSize, path);
  // Behind this record there may be a comment.
  let at = tailSize - 22;
  while (at >= 0 && !(tail.readUInt32LE(at) === END && at + 22 + tail.readUInt16LE(at + 20) <= tailSize)) at--;
  if (at < 0) throw noArchive(path);
  const directory = {
    count: tail.readUInt16LE(at + 10),
    size: tail.readUInt32LE(at + 12),
    offset: tail.readUInt32LE(at + 16),
  };
  if (directory.count === UNKNOWN_16 || directory.size === UNKNOWN_32 || directory.offset === UNKNOWN_32) {
    if (at < 20 || tail.readUInt32LE(at - 20) !== LOCATOR_64) throw noArchive(path);
    const end = await read(file, Number(tail.readBigUInt64LE(at - 12)), 56, path);
    if (end.readUInt32LE(0) !== END_64) throw noArchive(path);
    directory.count = Number(end.readBigUInt64LE(32));
    directory.size = Number(end.readBigUInt64LE(40));
    directory.offset = Number(end.readBigUInt64LE(48));
  }
  if (directory.offset + directory.size > fileSize) throw noArchive(path);
  return directory;
}

function parseDirectory(bytes: Buffer, count: number, path: string): ZipEntry[] {
  const entries: ZipEntry[] = [];
  let at = 0;
  try {
    while (entries.length < count) {
      if (bytes.readUInt32LE(at) !== CENTRAL) throw noArchive(path);
      const nameEnd = at + 46 + bytes.readUInt16LE(at + 28);
      const extraEnd = nameEnd + bytes.readUInt16LE(at + 30);
      const sizes = {
        size: bytes.readUInt32LE(at + 24),
        compressedSize: bytes.readUInt32LE(at + 20),
        offset: bytes.readUInt32LE(at + 42),
      };
      entries.push({
        name: bytes.toString('utf8', at + 46, nameEnd),
        method: bytes.readUInt16LE(at + 10),
        crc32: bytes.readUInt32LE(at + 16),
        ...sizes64(sizes, bytes.subarray(nameEnd, extraEnd)),
      });
      at = extraEnd + bytes.readUInt16LE(at + 32);
    }
  } catch {
    throw noArchive(path);
  }
  return entries;
}

type Sizes = Pick<ZipEntry, 'size' | 'compressedSize' | 'offset'>;

/** The extra field holds, in this order, those of the three that do not fit their places. */
function sizes64(sizes: Sizes, extra: Buffer): Sizes {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== EXTRA_64) continue;
    let value = at + 4;
    const next = (size: number) => {
      if (size !== UNKNOWN_32) return size;
      value += 8;
      return Number(extra.readBigUInt64LE(value - 8));
    };
    const size = next(sizes.size);
    const compressedSize = next(sizes.compressedSize);
    return { size, compressedSize, offset: next(sizes.offset) };
  }
  return sizes;
}

async function dataOffset(path: string, entry: ZipEntry): Promise<number> {
  const file = await open(path);
  try {
    const header = await read(file, entry.offset, 30, path);
    if (header.readUInt32LE(0) !== LOCAL) throw damaged(path, called(entry), 'its header is missing');
    return entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  } finally {
    await file.close();
  }
}
