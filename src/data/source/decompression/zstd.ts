/**
 * Zstandard (RFC 8878) in bounded memory. The package fzstd decodes blocks. This file reads the frames around them,
 * gives fzstd a block at a time, and checks what fzstd does not: sizes, checksums, windows and dictionaries.
 */
import type { Decompress } from 'fzstd';
import { DataError } from '../../../base/errors.ts';
import { cutShort, Input } from './byte-input.ts';
import { RefusedFormat } from './refused-format.ts';

const MAGIC = 0xfd2fb528;
/** The first of sixteen magic numbers. */
const SKIPPABLE = 0x184d2a50;
/** Largest block, before and after decompression. */
const BLOCK = 1 << 17;
/** As far back as content is kept: 32 MiB, of the 64 MiB that a file may take beyond what is asked for. */
const HISTORY_LOG = 25;
const HISTORY = 2 ** HISTORY_LOG;

interface Frame {
  /** Bytes of the header. */
  readonly headerSize: number;
  /** Bytes of content that a later byte may refer back to. */
  readonly window: number;
  readonly contentSize: number | undefined;
  readonly hasChecksum: boolean;
}

/**
 * Decompresses frames, one block (128 KiB) at a time; some frames may be skippable. Content checksums (XXH64) are
 * verified.
 *
 * @throws RefusedFormat for a dictionary, and for content that refers further back than 32 MiB
 * @throws DataError for data that are damaged or cut short
 */
export async function* unzstd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const input = new Input(source);
  try {
    while ((await input.fill(4)) > 0) {
      const magic = littleEndian(await input.need(4), 0, 4);
      if (magic === MAGIC) {
        yield* readFrame(input);
      } else if (magic >= SKIPPABLE && magic < SKIPPABLE + 16) {
        await input.skip(8 + littleEndian(await input.need(8), 4, 4));
      } else {
        throw new DataError('bytes that begin no frame follow a frame');
      }
    }
  } finally {
    await input.close();
  }
}

async function* readFrame(input: Input): AsyncGenerator<Uint8Array> {
  const frame = await readHeader(input);
  await input.skip(frame.headerSize);
  const history = Math.min(frame.window, frame.contentSize ?? frame.window, HISTORY);
  const { decompressor, take } = createDecompressor(await import('fzstd'), history);
  const hash = frame.hasChecksum ? (await (await import('xxhash-wasm')).default()).create64() : undefined;
  let size = 0;
  for (let isLast = false; !isLast; ) {
    if (size > HISTORY && frame.window > HISTORY) throw tooLargeWindow(frame.window);
    const block = await readBlock(input);
    isLast = block.isLast;
    pushBlock(decompressor, block.bytes, isLast);
    for (const piece of take()) {
      size += piece.length;
      hash?.update(piece);
      yield piece;
    }
    if (frame.contentSize !== undefined && size > frame.contentSize) break;
  }
  if (frame.contentSize !== undefined && size !== frame.contentSize) {
    throw new DataError(`a frame has ${size} bytes, not ${frame.contentSize} as it states`);
  }
  if (hash === undefined) return;
  const stated = littleEndian(await input.need(4), 0, 4);
  if (Number(hash.digest() & 0xffffffffn) !== stated) throw new DataError('its checksum is another');
  await input.skip(4);
}

/** In two parts: fzstd keeps every block that comes whole until the frame ends. */
function pushBlock(decompressor: Pick<Decompress, 'push'>, block: Uint8Array, isLast: boolean): void {
  decompressor.push(block.subarray(0, 2));
  decompressor.push(block.subarray(2), isLast);
}

/**
 * A function that decompresses frames which are in memory to exactly `size` bytes. Memory stays within three times `size`,
 * whatever the frames state or hold. Content checksums are not verified.
 */
export async function createUnzstd(): Promise<(bytes: Uint8Array, size: number) => Uint8Array> {
  const fzstd = await import('fzstd');
  return (bytes, size) => {
    const output = new Uint8Array(size);
    let done = 0;
    for (let at = 0; at < bytes.length; ) {
      const magic = littleEndian(bytes, at, 4);
      if (magic >= SKIPPABLE && magic < SKIPPABLE + 16) {
        at += 8 + littleEndian(bytes, at + 4, 4);
        continue;
      }
      if (magic !== MAGIC) throw new DataError('bytes that begin no frame');
      const frame = parseHeader(bytes.subarray(at, at + 18));
      at += frame.headerSize;
      const { decompressor, take } = createDecompressor(fzstd, Math.min(frame.window, size));
      for (let isLast = false; !isLast; ) {
        const block = parseBlockHeader(bytes.subarray(at, at + 3));
        if (at + block.length > bytes.length) throw cutShort();
        isLast = block.isLast;
        pushBlock(decompressor, bytes.subarray(at, at + block.length), isLast);
        at += block.length;
        for (const piece of take()) {
          if (done + piece.length > size) throw new DataError(`more than ${size} bytes, which were stated`);
          output.set(piece, done);
          done += piece.length;
        }
      }
      if (frame.hasChecksum) at += 4;
    }
    if (done !== size) throw new DataError(`${done} bytes, not ${size} as stated`);
    return output;
  };
}

async function readHeader(input: Input): Promise<Frame> {
  await input.need(5);
  // A header has 18 bytes at most.
  const available = await input.fill(18);
  return parseHeader(await input.need(Math.min(18, available)));
}

/** The header at the start of `bytes`. */
function parseHeader(bytes: Uint8Array): Frame {
  if (bytes.length < 5) throw cutShort();
  const descriptor = bytes[4]!;
  if (descriptor & 8) throw new DataError('the header of a frame is not valid');
  const isSingleSegment = (descriptor & 32) !== 0;
  const dictionarySize = [0, 1, 2, 4][descriptor & 3]!;
  const contentField = descriptor >> 6;
  const contentBytes = contentField === 0 ? (isSingleSegment ? 1 : 0) : 1 << contentField;
  const dictionaryAt = isSingleSegment ? 5 : 6;
  const contentAt = dictionaryAt + dictionarySize;
  const headerSize = contentAt + contentBytes;
  if (bytes.length < headerSize) throw cutShort();
  const header = bytes;
  const dictionary = littleEndian(header, dictionaryAt, dictionarySize);
  if (dictionary !== 0) {
    throw new RefusedFormat(
      `is compressed with the Zstandard dictionary ${dictionary}`,
      (name) => `decompress it with that dictionary: zstd -d -D DICTIONARY ${name}`,
    );
  }
  const contentSize =
    contentBytes === 0 ? undefined : littleEndian(header, contentAt, contentBytes) + (contentField === 1 ? 256 : 0);
  const exponent = 10 + (header[5]! >> 3);
  const window = isSingleSegment ? contentSize! : 2 ** exponent + 2 ** (exponent - 3) * (header[5]! & 7);
  return { headerSize, window, contentSize, hasChecksum: (descriptor & 4) !== 0 };
}

/** The next block with its header. */
async function readBlock(input: Input): Promise<{ bytes: Uint8Array; isLast: boolean }> {
  const { length, isLast } = parseBlockHeader(await input.need(3));
  const bytes = (await input.need(length)).slice(0, length);
  await input.skip(length);
  return { bytes, isLast };
}

/** @returns the length of the block with its header, and whether the frame ends with the block */
function parseBlockHeader(bytes: Uint8Array): { length: number; isLast: boolean } {
  if (bytes.length < 3) throw cutShort();
  const header = littleEndian(bytes, 0, 3);
  const type = (header >> 1) & 3;
  const size = header >> 3;
  if (type === 3 || size > BLOCK) throw new DataError('the header of a block is not valid');
  return { length: 3 + (type === 1 ? 1 : size), isLast: (header & 1) !== 0 };
}

/** A decompressor of fzstd for one frame, with a header that states `history` as the window and nothing else. */
function createDecompressor(
  { Decompress }: typeof import('fzstd'),
  history: number,
): { decompressor: Pick<Decompress, 'push'>; take: () => Uint8Array[] } {
  let ready: Uint8Array[] = [];
  const decompressor = new Decompress((piece) => void ready.push(piece));
  const windowLog = Math.max(17, Math.ceil(Math.log2(history)));
  decompressor.push(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, (windowLog - 10) << 3));
  return {
    decompressor,
    take: () => {
      const pieces = ready;
      ready = [];
      return pieces;
    },
  };
}

const tooLargeWindow = (window: number) =>
  new RefusedFormat(
    `is compressed with a Zstandard window of ${window / 2 ** 20} MiB, of which ${HISTORY / 2 ** 20} are kept`,
    (name) => `compress it again with a smaller one: zstd -dc --long=31 ${name} | zstd -19 -o NEW`,
  );

/** An unsigned integer of up to eight bytes; exact up to 2⁵³. */
function littleEndian(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = length - 1; i >= 0; i--) value = 256 * value + bytes[at + i]!;
  return value;
}
