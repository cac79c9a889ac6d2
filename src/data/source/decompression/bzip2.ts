/**
 * bzip2 in bounded memory, with its checksums verified. The packages for it (unbzip2-stream, seek-bzip, wasm-bz2) give
 * a block at once and then queue it; a block of zeros is 46 MB. This decoder gives pieces, as they are asked for.
 *
 * A block is up to 900,000 bytes after a run-length coding, sorted by Burrows and Wheeler's transform, moved to front,
 * and run-length coded again. The result is written in Huffman codes, of which six tables take turns every 50 symbols.
 */
import { DataError } from '../../../base/errors.ts';
import { cutShort, Input } from './byte-input.ts';

const BLOCK_MAGIC = 0x314159265359;
const END_MAGIC = 0x177245385090;
const MAX_CODE_LENGTH = 20;
const GROUP = 50;
/** More than a block can take: 900,000 symbols of 20 bits, and its tables. */
const MAX_BLOCK = 2_400_000;
/** Bytes handed out at a time. */
const PIECE = 1 << 18;

/**
 * Decompresses one or several streams.
 *
 * @throws DataError for data that are damaged or cut short
 */
export async function* bunzip2(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const input = new Input(source);
  try {
    for (let isFirst = true; (await input.fill(4)) > 0; isFirst = false) {
      const [b, z, h, level] = await input.need(4);
      const size = level! - 0x30;
      if (b !== 0x42 || z !== 0x5a || h !== 0x68 || size < 1 || size > 9) {
        throw new DataError(`bytes that begin no stream ${isFirst ? 'begin the file' : 'follow a stream'}`);
      }
      await input.skip(4);
      yield* readStream(input, 100_000 * size);
    }
  } finally {
    await input.close();
  }
}

async function* readStream(input: Input, blockSize: number): AsyncGenerator<Uint8Array> {
  const block = new Uint32Array(blockSize);
  let streamChecksum = 0;
  /** Bits of the first byte that belong to the block before. */
  let offset = 0;
  for (;;) {
    await input.fill(MAX_BLOCK);
    const bits = new Bits(input.bytes, offset);
    const magic = bits.read(24) * 2 ** 24 + bits.read(24);
    const checksum = bits.read32();
    if (magic === END_MAGIC) {
      if (checksum !== streamChecksum) throw new DataError('its checksum is another');
      await input.skip(Math.ceil(bits.position / 8));
      return;
    }
    if (magic !== BLOCK_MAGIC) throw new DataError('the header of a block is not valid');
    const { length, origin } = decodeBlock(bits, block);
    const { position } = bits;
    await input.skip(position >>> 3);
    offset = position & 7;
    const output = new BlockOutput(block, length, origin);
    for (let piece = output.next(); piece.length > 0; piece = output.next()) yield piece;
    if (output.checksum !== checksum) throw new DataError('the checksum of a block is another');
    streamChecksum = (((streamChecksum << 1) | (streamChecksum >>> 31)) ^ checksum) >>> 0;
  }
}

/** Bits of a stream, the highest of a byte first. */
class Bits {
  #at = 0;
  #bits = 0;
  #count = 0;

  /** @param offset bits of the first byte to pass over */
  constructor(
    private readonly bytes: Uint8Array,
    offset: number,
  ) {
    this.read(offset);
  }

  /** Bits read so far. */
  get position(): number {
    return 8 * this.#at - this.#count;
  }

  /** The next bits, 24 at most. @throws if they are not there */
  read(count: number): number {
    while (this.#count < count) {
      if (this.#at >= this.bytes.length) throw cutShort();
      this.#bits = (this.#bits << 8) | this.bytes[this.#at++]!;
      this.#count += 8;
    }
    this.#count -= count;
    return (this.#bits >>> this.#count) & ((1 << count) - 1);
  }

  read32(): number {
    return this.read(16) * 2 ** 16 + this.read(16);
  }
}

/** Fills `block` with the next byte of the content (low 8 bits) and its successor's place (high 24), in sorted order. */
function decodeBlock(bits: Bits, block: Uint32Array): { length: number; origin: number } {
  if (bits.read(1) !== 0) throw new DataError('a block is randomised, as versions before 0.9.5 wrote it');
  const origin = bits.read(24);
  const bytes = readAlphabet(bits);
  const numSymbols = bytes.length + 2;
  const numTables = bits.read(3);
  const selectors = readSelectors(bits, numTables);
  const tables = Array.from({ length: numTables }, () => readTable(bits, numSymbols));
  const counts = new Uint32Array(257);
  const length = readSymbols(bits, block, { bytes, selectors, tables, counts });
  if (origin >= length) throw new DataError('a block begins outside of itself');
  // Burrows and Wheeler's transform: the n-th occurrence of a byte among the last ones is the n-th among the first ones.
  for (let byte = 0, sum = 0; byte < 256; byte++) {
    const count = counts[byte]!;
    counts[byte] = sum;
    sum += count;
  }
  for (let i = 0; i < length; i++) {
    const place = counts[block[i]! & 255]!++;
    block[place] = block[place]! | (i << 8);
  }
  return { length, origin };
}

/** The bytes that occur, as two levels of bit masks. */
function readAlphabet(bits: Bits): Uint8Array {
  const sixteens = bits.read(16);
  const bytes: number[] = [];
  for (let i = 0; i < 16; i++) {
    if ((sixteens & (0x8000 >> i)) === 0) continue;
    const mask = bits.read(16);
    for (let j = 0; j < 16; j++) if (mask & (0x8000 >> j)) bytes.push(16 * i + j);
  }
  if (bytes.length === 0) throw new DataError('a block has no bytes');
  return Uint8Array.from(bytes);
}

function readSelectors(bits: Bits, numTables: number): Uint8Array {
  const count = bits.read(15);
  if (numTables < 2 || numTables > 6 || count === 0) throw new DataError('the tables of a block are not valid');
  const recent = [0, 1, 2, 3, 4, 5].slice(0, numTables);
  const selectors = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    let index = 0;
    while (bits.read(1) === 1) if (++index >= numTables) throw new DataError('a block names a table that is not there');
    const [table] = recent.splice(index, 1);
    recent.unshift(table!);
    selectors[i] = table!;
  }
  return selectors;
}

/** Huffman codes: those of a length are successive numbers, and so are their symbols. */
interface Table {
  readonly shortest: number;
  /** For each length the first number that is not a code of that length or a shorter one. */
  readonly limits: Int32Array;
  /** For each length what a code of it has beyond its place among the symbols. */
  readonly bases: Int32Array;
  readonly symbols: Uint16Array;
}

function readTable(bits: Bits, numSymbols: number): Table {
  const lengths = new Uint8Array(numSymbols);
  let length = bits.read(5);
  for (let symbol = 0; symbol < numSymbols; symbol++) {
    for (;;) {
      if (length < 1 || length > MAX_CODE_LENGTH) throw new DataError('a code has a length that there is not');
      if (bits.read(1) === 0) break;
      length += bits.read(1) === 0 ? 1 : -1;
    }
    lengths[symbol] = length;
  }
  const symbols = new Uint16Array(numSymbols);
  const limits = new Int32Array(MAX_CODE_LENGTH + 1);
  const bases = new Int32Array(MAX_CODE_LENGTH + 1);
  let code = 0;
  let place = 0;
  for (let bitLength = 1; bitLength <= MAX_CODE_LENGTH; bitLength++) {
    code *= 2;
    bases[bitLength] = code - place;
    for (let symbol = 0; symbol < numSymbols; symbol++) {
      if (lengths[symbol] !== bitLength) continue;
      symbols[place++] = symbol;
      code++;
    }
    limits[bitLength] = code;
  }
  return { shortest: Math.min(...lengths), limits, bases, symbols };
}

function readSymbol(bits: Bits, { shortest, limits, bases, symbols }: Table): number {
  let code = bits.read(shortest);
  for (let length = shortest; length <= MAX_CODE_LENGTH; length++) {
    if (code < limits[length]!) return symbols[code - bases[length]!]!;
    code = (code << 1) | bits.read(1);
  }
  throw new DataError('a code is not valid');
}

interface Coding {
  readonly bytes: Uint8Array;
  readonly selectors: Uint8Array;
  readonly tables: readonly Table[];
  /** Counts each byte. */
  readonly counts: Uint32Array;
}

/** Undoes Huffman's codes, runs and moves to front. @returns the number of bytes */
function readSymbols(bits: Bits, block: Uint32Array, { bytes, selectors, tables, counts }: Coding): number {
  const end = bytes.length + 1;
  const recent = bytes.slice();
  let length = 0;
  let run = 0;
  let runBit = 1;
  for (let group = 0; ; group++) {
    if (group >= selectors.length) throw new DataError('a block has no end');
    const table = tables[selectors[group]!]!;
    for (let i = 0; i < GROUP; i++) {
      const symbol = readSymbol(bits, table);
      if (symbol <= 1) {
        // A run's length in base 2 with the digits 1 and 2.
        run += (symbol + 1) * runBit;
        runBit *= 2;
        if (run > block.length) throw new DataError('a block is longer than it may be');
        continue;
      }
      if (run > 0) {
        if (length + run > block.length) throw new DataError('a block is longer than it may be');
        block.fill(recent[0]!, length, length + run);
        counts[recent[0]!]! += run;
        length += run;
        run = 0;
        runBit = 1;
      }
      if (symbol === end) return length;
      if (length >= block.length) throw new DataError('a block is longer than it may be');
      const byte = recent[symbol - 1]!;
      recent.copyWithin(1, 0, symbol - 1);
      recent[0] = byte;
      block[length++] = byte;
      counts[byte]!++;
    }
  }
}

/** The content of a block, in pieces: four equal bytes are followed by the number of further ones. */
class BlockOutput {
  #left: number;
  #place: number;
  #previous = -1;
  /** Equal bytes so far. */
  #equal = 0;
  /** Further ones of `#previous` to give. */
  #repeats = 0;
  #checksum = 0xffffffff;

  constructor(
    private readonly block: Uint32Array,
    length: number,
    origin: number,
  ) {
    this.#left = length;
    this.#place = block[origin]! >>> 8;
  }

  /** The checksum of what was given so far. */
  get checksum(): number {
    return ~this.#checksum >>> 0;
  }

  /** The next bytes; empty at the end. */
  next(): Uint8Array {
    const piece = new Uint8Array(PIECE);
    const { block } = this;
    let at = 0;
    let place = this.#place;
    let previous = this.#previous;
    let equal = this.#equal;
    let repeats = this.#repeats;
    while (at < PIECE) {
      if (repeats > 0) {
        const end = Math.min(PIECE, at + repeats);
        piece.fill(previous, at, end);
        repeats -= end - at;
        at = end;
        continue;
      }
      if (this.#left === 0) break;
      this.#left--;
      const entry = block[place]!;
      const byte = entry & 255;
      place = entry >>> 8;
      if (equal === 4) {
        repeats = byte;
        equal = 0;
        continue;
      }
      equal = byte === previous ? equal + 1 : 1;
      previous = byte;
      piece[at++] = byte;
    }
    this.#place = place;
    this.#previous = previous;
    this.#equal = equal;
    this.#repeats = repeats;
    let checksum = this.#checksum;
    for (let i = 0; i < at; i++) checksum = (checksum << 8) ^ CRC_TABLE[(checksum >>> 24) ^ piece[i]!]!;
    this.#checksum = checksum;
    return piece.subarray(0, at);
  }
}

/** CRC-32, the highest bit first. */
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit++) value = (value << 1) ^ (value < 0 ? 0x04c11db7 : 0);
  return value;
});
