import { Buffer, isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { isAbsolute, relative, resolve } from 'node:path';
import { DataError, FileError, messageOf } from '../base/errors.ts';

/** Bytes read from a file at a time. */
const READ_SIZE = 1 << 18;

const GZIP_MAGIC = [0x1f, 0x8b];
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
/** `BZh`. */
const BZIP2_MAGIC = [0x42, 0x5a, 0x68];

/**
 * Streams a UTF-8 file as text, decompressing gzip, bzip2 and Zstandard, which are told by their first bytes and not by
 * the name. A byte order mark is dropped. Chunks end between characters. Zstandard checksums are not verified.
 *
 * @throws in one sentence, while reading: for a missing, empty or damaged file, a directory, and, with the byte offset
 * after decompression, for bytes that are not UTF-8
 */
export async function* openText(path: string): AsyncGenerator<string> {
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
 * @throws in one sentence, for a name or pattern that gives no file and for a directory
 */
export async function expandPaths(patterns: readonly string[], cwd: string = process.cwd()): Promise<string[]> {
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

/**
 * The bytes of a file in chunks, decompressed as {@link openText} does.
 *
 * @throws in one sentence, while reading, for a missing or damaged file and for a directory
 */
export async function* readDecompressed(path: string): AsyncGenerator<Uint8Array> {
  const magic = await readMagic(path);
  const startsWith = (bytes: number[]) => bytes.every((byte, i) => magic[i] === byte);
  try {
    if (startsWith(GZIP_MAGIC)) {
      yield* gunzip(path);
    } else if (startsWith(ZSTD_MAGIC)) {
      yield* unzstd(path);
    } else if (startsWith(BZIP2_MAGIC) && isBlockSize(magic[3])) {
      yield* bunzip2(path);
    } else {
      yield* createReadStream(path, { highWaterMark: READ_SIZE }) as AsyncIterable<Buffer>;
    }
  } catch (error) {
    throw new DataError(`${path} cannot be read (${messageOf(error)}); the file may be damaged or cut short.`, {
      cause: error,
    });
  }
}

/** A bzip2 file's fourth byte is a digit, which a text that happens to begin with `BZh` rarely has. */
const isBlockSize = (byte: number | undefined) => byte !== undefined && byte >= 0x31 && byte <= 0x39;

/** The first four bytes of a file. @throws in one sentence, if it is missing, cannot be opened or is a directory */
export async function readMagic(path: string): Promise<Uint8Array> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw missingError(path);
    throw new FileError(`${path} cannot be opened (${messageOf(error)}); check that it is a file you may read.`, {
      cause: error,
    });
  }
  try {
    if ((await file.stat()).isDirectory()) throw directoryError(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function* gunzip(path: string): AsyncGenerator<Uint8Array> {
  const { createGunzip } = await import('node:zlib');
  const source = createReadStream(path, { highWaterMark: READ_SIZE });
  const target = createGunzip({ chunkSize: READ_SIZE });
  source.on('error', (error) => target.destroy(error));
  try {
    yield* source.pipe(target) as AsyncIterable<Buffer>;
  } finally {
    source.destroy();
  }
}

async function* unzstd(path: string): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import('fzstd');
  const ready: Uint8Array[] = [];
  // The decompressor goes on using the memory that it hands out.
  const decompressor = new Decompress((chunk) => ready.push(chunk.slice()));
  for await (const chunk of createReadStream(path, { highWaterMark: READ_SIZE })) {
    decompressor.push(chunk as Buffer);
    yield* ready.splice(0);
  }
  decompressor.push(new Uint8Array(0), true);
  yield* ready;
}

async function* bunzip2(path: string): AsyncGenerator<Uint8Array> {
  const { default: unbzip2 } = await import('unbzip2-stream');
  const ready: Uint8Array[] = [];
  let failure: unknown;
  // Written to and ended by hand: it decompresses at once and keeps no more than a block.
  const target = unbzip2();
  target.on('data', (block: Uint8Array) => void ready.push(block));
  target.on('error', (error: unknown) => {
    failure ??= error;
  });
  const finished = function* () {
    yield* ready.splice(0);
    if (failure !== undefined) throw failure;
  };
  for await (const chunk of createReadStream(path, { highWaterMark: READ_SIZE })) {
    target.write(chunk as Buffer);
    yield* finished();
  }
  target.end();
  yield* finished();
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
