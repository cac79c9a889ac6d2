import { Buffer, isUtf8 } from 'node:buffer';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { isAbsolute, relative, resolve } from 'node:path';
import { DataError, FileError, messageOf } from '../../base/errors.ts';
import { checkArguments, option } from '../../base/options.ts';
import { RefusedFormat } from './decompression/refused-format.ts';
import { checkSignature, HEAD } from './decompression/signatures.ts';

/** Bytes read from a file at a time. */
const READ_SIZE = 1 << 18;

/**
 * Streams a UTF-8 file as text, decompressing gzip, bzip2 and Zstandard. The first bytes tell the compression, not the
 * name. A byte order mark is dropped. Chunks end between characters. Memory is that of {@link readDecompressed}.
 *
 * @throws as `readDecompressed` does, while reading, and DataError for an empty file
 * @throws DataError, with the byte offset after decompression, for bytes that are not UTF-8 and for NUL bytes, which no
 *   text has
 */
export async function* openText(path: string): AsyncGenerator<string> {
  checkArguments('openText', { path }, { path: option.string });
  const decoder = new Utf8Decoder(path);
  let isEmpty = true;
  for await (const bytes of readDecompressed(path)) {
    isEmpty &&= bytes.length === 0;
    const text = decoder.push(bytes);
    if (text !== '') yield text;
  }
  decoder.end();
  if (isEmpty) throw new DataError(`${path} is empty; give a file with text.`);
}

/**
 * Paths of all files that the names and globs (`*`, `?`, `[…]`, `{…}`, `**`) stand for, sorted, each once. A name that
 * exists is taken as it is, whatever characters it has.
 *
 * @param cwd where relative names start. Default: the working directory
 * @throws FileError for a name or pattern that gives no file and for a directory
 */
export async function expandPaths(patterns: readonly string[], cwd: string = process.cwd()): Promise<string[]> {
  checkArguments('expandPaths', { patterns, cwd }, { patterns: option.strings, cwd: option.optional(option.string) });
  if (patterns.length === 0) throw new DataError('No files are named; give at least one path or glob.');
  const found = new Set<string>();
  for (const pattern of patterns) {
    for (const path of await expand(pattern, cwd)) found.add(path);
  }
  return [...found].sort();
}

async function expand(pattern: string, cwd: string): Promise<string[]> {
  const entry = await stat(resolve(cwd, pattern)).catch(() => undefined);
  if (entry?.isDirectory()) throw directoryError(pattern);
  if (entry) return [pattern];
  // Packages that only files need are loaded when there is one, which keeps the start short.
  const { glob, isDynamicPattern } = await import('tinyglobby');
  if (!isDynamicPattern(pattern)) throw missingError(pattern);
  const paths = await glob(pattern, { cwd, absolute: true, onlyFiles: true, expandDirectories: false });
  if (paths.length === 0)
    throw new FileError(`No file matches ${pattern}; check the pattern and the working directory.`);
  return paths.map((path) => (isAbsolute(pattern) ? path : relative(cwd, path)));
}

const missingError = (path: string) => new FileError(`${path} does not exist; check the path.`);
const directoryError = (path: string) => {
  return new FileError(`${path} is a directory; name files or use a glob such as ${path.replace(/\/+$/, '')}/*.txt.`);
};

interface Compression {
  readonly name: string;
  decompress(chunks: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>>;
}

/** Packages that only some files need are loaded when there is one. */
const GZIP: Compression = {
  name: 'gzip',
  decompress: async (chunks) => (await import('./decompression/gzip.ts')).gunzip(chunks),
};
const ZSTANDARD: Compression = {
  name: 'Zstandard',
  decompress: async (chunks) => (await import('./decompression/zstd.ts')).unzstd(chunks),
};
const BZIP2: Compression = {
  name: 'bzip2',
  decompress: async (chunks) => (await import('./decompression/bzip2.ts')).bunzip2(chunks),
};

/** What a file is compressed with, by its first bytes; undefined for nothing that is read. */
function compressionOf(head: Uint8Array): Compression | undefined {
  const text = String.fromCharCode(...head.subarray(0, 4));
  if (text.startsWith('\x1f\x8b')) return GZIP;
  // Sixteen magic numbers, P*M to _*M and a control character, begin frames that are passed over.
  if (text === '(\xb5/\xfd' || (/^[P-_]$/.test(text[0] ?? '') && text.endsWith('*M\x18'))) return ZSTANDARD;
  // The fourth byte is a digit, which a text that happens to begin with BZh rarely has.
  return /^BZh[1-9]/.test(text) ? BZIP2 : undefined;
}

/**
 * The bytes of a file in chunks, decompressed as {@link openText} does. Checksums are verified (of gzip and bzip2 always, of
 * Zstandard where there are any). Memory is at most 64 MiB, whatever the file.
 *
 * @throws FileError, while reading, for a missing file or a directory
 * @throws DataError for a damaged file
 * @throws DataError for what is no text by its first bytes: archives, other compressions, images, UTF-16, and so on
 */
export async function* readDecompressed(path: string): AsyncGenerator<Uint8Array> {
  const file = await openFile(path);
  let compression: Compression | undefined;
  let numRead = 0;
  try {
    compression = compressionOf(await headOf(file, 4));
    const stream = file.createReadStream({
      start: 0,
      autoClose: false,
      highWaterMark: READ_SIZE,
    }) as AsyncIterable<Buffer>;
    const chunks = compression ? await compression.decompress(stream) : stream;
    for await (const chunk of checkedChunks(chunks, compression?.name)) {
      numRead += chunk.length;
      yield chunk;
    }
  } catch (error) {
    if (error instanceof RefusedFormat) throw error.about(path);
    const where = compression ? ` beyond byte ${numRead} of its decompressed content` : '';
    throw new DataError(`${path} cannot be read (${messageOf(error)})${where}; the file may be damaged or cut short.`, {
      cause: error,
    });
  } finally {
    await file.close();
  }
}

/** Chunks whose beginning is known to be nothing else than text. */
async function* checkedChunks(chunks: AsyncIterable<Uint8Array>, compression?: string): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] | undefined = [];
  const check = () => {
    const first = held ?? [];
    checkSignature(Buffer.concat(first), compression);
    held = undefined;
    return first;
  };
  let length = 0;
  for await (const chunk of chunks) {
    if (held === undefined) {
      yield chunk;
      continue;
    }
    held.push(chunk);
    length += chunk.length;
    if (length >= HEAD) yield* check();
  }
  if (held !== undefined) yield* check();
}

/** The first bytes of a file. @throws FileError for a file that is missing or cannot be opened, and for a directory */
export async function readMagic(path: string, length = 4): Promise<Uint8Array> {
  const file = await openFile(path);
  try {
    return await headOf(file, length);
  } finally {
    await file.close();
  }
}

async function openFile(path: string): Promise<FileHandle> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw missingError(path);
    throw new FileError(`${path} cannot be opened (${messageOf(error)}); check that it is a file you may read.`, {
      cause: error,
    });
  });
  const isDirectory = await file.stat().then((entry) => entry.isDirectory());
  if (!isDirectory) return file;
  await file.close();
  throw directoryError(path);
}

async function headOf(file: FileHandle, length: number): Promise<Uint8Array> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
  return buffer.subarray(0, bytesRead);
}

/** Decodes UTF-8 in chunks, and says where it stops being UTF-8. */
class Utf8Decoder {
  /** Bytes before the pending ones. */
  private offset = 0;
  /** The beginning of a character that the next chunk continues. */
  private pending = new Uint8Array(0);
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(private readonly path: string) {}

  push(chunk: Uint8Array): string {
    const bytes = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    const end = bytes.length - incompleteTail(bytes);
    const complete = bytes.subarray(0, end);
    const nul = complete.indexOf(0);
    if (nul >= 0) {
      throw new DataError(
        `${this.path} has a NUL byte at byte ${this.offset + nul}; ` +
          "check that it is text, or remove NUL bytes with: tr -d '\\000' < FILE > NEW.",
      );
    }
    if (!isUtf8(complete)) this.fail(this.offset + firstInvalid(complete));
    const text = this.decoder.decode(complete);
    const isStart = this.offset === 0 && end > 0;
    this.offset += end;
    this.pending = bytes.slice(end);
    return isStart && text.startsWith('\ufeff') ? text.slice(1) : text;
  }

  end(): void {
    if (this.pending.length > 0) this.fail(this.offset);
  }

  private fail(offset: number): never {
    throw new DataError(`${this.path} is not UTF-8 at byte ${offset}; save it as UTF-8 text.`);
  }
}

/** Number of bytes at the end that begin a character without completing it. */
function incompleteTail(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    return sequenceLength(byte) > back ? back : 0;
  }
  return 0;
}

const sequenceLength = (lead: number) => (lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1);

/** Offset of the first byte that starts no valid character. */
function firstInvalid(bytes: Uint8Array): number {
  let i = 0;
  while (i < bytes.length) {
    const length = sequenceLength(bytes[i]!);
    if (!isUtf8(bytes.subarray(i, i + length))) return i;
    i += length;
  }
  return i;
}
