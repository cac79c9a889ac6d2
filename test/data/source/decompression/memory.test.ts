/** What files of few bytes take that decompress to many, each in a process of its own. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { npy, zip } from '../../formats/images/zip-writer.ts';
import { parquetFile } from '../../formats/parquet/parquet-writer.ts';
import { temporaryFolder } from '../../formats/support.ts';

const { file } = temporaryFolder();
const library = join(import.meta.dirname, '../../../../dist/data-node.js');
const MIB = 2 ** 20;

/** Output of Python's bz2.compress for 100 MiB of the letter a. */
const BZIP2_BOMB =
  'QlpoOTFBWSZTWcJtKvMBX44BAKAAAAggADCATUZCoCWpCoCXMUFZJlNZwm0q8wFfjgEAoAAACCAAMIBNRkKgJakKgJcxQVkmU1lXHMJiAGQIBQCQACAAAAggADDMBSmnGKARbBQCLxdyRThQkNpyPEo=';

/** A Zstandard frame with a window of 2 MiB: `count` blocks of 128 KiB, each of one repeated letter. */
function zstdBomb(count: number): Buffer {
  const blocks = Buffer.alloc(4 * count, 'a');
  for (let i = 0; i < count; i++) blocks.writeUIntLE(((2 ** 17) << 3) | 2 | (i === count - 1 ? 1 : 0), 4 * i, 3);
  return Buffer.concat([Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 11 << 3), blocks]);
}

/** Several members, which come one after the other. */
const gzipBomb = (count: number) =>
  Buffer.concat(Array.from({ length: count }, () => gzipSync(Buffer.alloc(16 * MIB, 'a'))));

/**
 * Reads a file in a process of its own. @returns characters that came, bad records, and by how much its memory grew at most
 *
 * @param isCollected frees after every part what is no longer held, which the engine puts off for tens of MiB. Default false.
 */
function measure(
  reader: string,
  path: string,
  isCollected = false,
): { characters: number; bad: string[]; error?: string; rise: number } {
  const program = `
    const { BadRecords, ...library } = await import(${JSON.stringify(library)});
    const bad = new BadRecords();
    const result = { characters: 0, bad: [] };
    const options = { readNpzImages: [{ size: 512 }], readText: [bad, { documents: 'line' }] }[process.argv[1]] ?? [bad];
    const input = [process.argv[2], ...options];
    const before = process.resourceUsage().maxRSS;
    try {
      for await (const part of library[process.argv[1]](...input)) {
        result.characters += (part.text ?? part.pixels ?? part).length;
        if (process.argv[3]) gc();
      }
    } catch (error) {
      result.error = error.message;
    }
    result.bad = bad.examples.map(({ reason }) => reason);
    result.rise = (process.resourceUsage().maxRSS - before) * 1024;
    console.log(JSON.stringify(result));
  `;
  const flags = ['--expose-gc', '--input-type=module', '-e', program];
  const words = [reader, path, ...(isCollected ? ['collect'] : [])];
  const output = execFileSync(process.execPath, [...flags, ...words], { encoding: 'utf8' });
  return JSON.parse(output);
}

const TOO_LONG = 'not UTF-8, with a NUL byte, or longer than 16 MiB';

test.each([
  ['zst', zstdBomb(1280), 160 * MIB],
  ['bz2', Buffer.from(BZIP2_BOMB, 'base64'), 100 * MIB],
  ['gz', gzipBomb(10), 160 * MIB],
])('%s: a text streams, and a record without an end is none', (ending, data, size) => {
  expect(size / data.length).toBeGreaterThan(900);
  const path = file(`bomb.${ending}`, data);
  const text = measure('openText', path);
  expect(text).toMatchObject({ characters: size, bad: [] });
  expect(text.rise).toBeLessThan(64 * MIB);
  for (const [reader, reason] of [
    ['readText', TOO_LONG],
    ['readJsonl', TOO_LONG],
    ['readFasta', 'there is text before the first header'],
  ] as const) {
    const records = measure(reader, path);
    expect(records).toMatchObject({ characters: 0, bad: [expect.stringContaining(reason)] });
    expect(records.rise).toBeLessThan(64 * MIB);
  }
});

test('zeros are refused at the first', () => {
  const zeros = measure('openText', file('zeros.gz', gzipSync(Buffer.alloc(256 * MIB))));
  expect(zeros.error).toContain('zeros.gz has a NUL byte at byte 0');
  expect(zeros.rise).toBeLessThan(64 * MIB);
});

/** A number in groups of seven bits, low ones first. */
function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

/** `head`, then the letter a until there are `size` bytes, each codec by its own number and by few bytes. */
const codecs: Record<string, { codec: number; expand: (head: Buffer, size: number) => Buffer }> = {
  snappy: {
    codec: 1,
    expand: (head, size) => {
      const literal = Buffer.concat([
        Buffer.from([...varint(size), (head.length + 1 - 1) << 2]),
        head,
        Buffer.from('a'),
      ]);
      const rest = size - head.length - 1;
      // Copies of at most 64 letters from one place back.
      const copies = Buffer.alloc(3 * Math.floor(rest / 64), Buffer.from([(63 << 2) | 2, 1, 0]));
      return Buffer.concat([literal, copies, Buffer.from(rest % 64 ? [(((rest % 64) - 1) << 2) | 2, 1, 0] : [])]);
    },
  },
  gzip: { codec: 2, expand: (head, size) => gzipSync(whole(head, size)) },
  brotli: { codec: 4, expand: (head, size) => brotliCompressSync(whole(head, size), { params: { 1: 1 } }) },
  zstd: {
    codec: 6,
    expand: (head, size) => {
      const parts: Buffer[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 11 << 3]), blockHeader(0, head.length), head];
      for (let left = size - head.length; left > 0; left -= 2 ** 17) {
        parts.push(blockHeader(1, Math.min(left, 2 ** 17), left <= 2 ** 17), Buffer.from('a'));
      }
      return Buffer.concat(parts);
    },
  },
  lz4: {
    codec: 7,
    expand: (head, size) => {
      // Literals, one match that repeats the last of them, and five letters at the end, as the format asks.
      const length = size - head.length - 1 - 5 - 4;
      const match = length - 15;
      return Buffer.concat([
        ...[Buffer.from([((head.length + 1) << 4) | 15]), head, Buffer.from('a'), Buffer.from([1, 0])],
        ...[Buffer.alloc(Math.floor(match / 255), 255), Buffer.from([match % 255]), Buffer.from([5 << 4])],
        Buffer.from('aaaaa'),
      ]);
    },
  },
};

const whole = (head: Buffer, size: number) => Buffer.concat([head, Buffer.alloc(size - head.length, 'a')]);

function blockHeader(type: number, size: number, isLast = false): Buffer {
  const header = Buffer.alloc(3);
  header.writeUIntLE((size << 3) | (type << 1) | (isLast ? 1 : 0), 0, 3);
  return header;
}

/** A column of one group: rows of `length` letters, each a page of few bytes. */
function parquetBomb(codec: string, rows: number, length: number, statedSize?: number): Buffer {
  const { codec: number, expand } = codecs[codec]!;
  const head = Buffer.alloc(4);
  head.writeUInt32LE(length);
  const bytes = expand(head, 4 + length);
  const compression = { codec: number, compress: () => bytes, rowsPerPage: 1, statedSize: statedSize ?? 4 + length };
  return Buffer.from(parquetFile('text', new Array(rows).fill('a'), rows, compression));
}

describe.each(Object.keys(codecs))('Parquet, %s', (codec) => {
  test('a group is read by pages', () => {
    const [rows, length] = [200, MIB];
    const data = parquetBomb(codec, rows, length);
    expect((rows * length) / data.length).toBeGreaterThan(20);
    const path = file(`pages-${codec}.parquet`, data);
    const held = measure('readParquet', path, true);
    expect(held).toMatchObject({ characters: rows * length, bad: [] });
    expect(held.rise).toBeLessThan(64 * MIB);
    // Strings and pages that the engine has not collected yet are in this; the whole group would be 400 MiB.
    expect(measure('readParquet', path).rise).toBeLessThan(112 * MIB);
  });

  test('a page is no larger than it states', () => {
    const read = measure('readParquet', file(`lies-${codec}.parquet`, parquetBomb(codec, 1, 100 * MIB, 1000)));
    expect(read.error).toContain(`lies-${codec}.parquet cannot be read (`);
    expect(read.rise).toBeLessThan(64 * MIB);
  });

  test('a page that states gigabytes is refused', () => {
    const read = measure('readParquet', file(`states-${codec}.parquet`, parquetBomb(codec, 1, 1000, 2 ** 31 - 1)));
    expect(read.error).toMatch(
      /a page of \d+ bytes states that it has 2147483647; above 16 MiB, 8 times as many are read/,
    );
    expect(read.rise).toBeLessThan(64 * MIB);
  });
});

test('npz: a deflated array of zeros streams; what its directory states takes no memory', async () => {
  const shape = [200, 3, 512, 512];
  const values = npy(shape, new Uint8Array(0));
  const size = shape.reduce((a, b) => a * b);
  const archive = await zip([
    { name: 'data.npy', data: Buffer.concat([values, Buffer.alloc(size)]), isDeflated: true },
  ]);
  const read = measure('readNpzImages', file('zeros.npz', archive));
  expect(read).toMatchObject({ characters: size });
  expect(read.rise).toBeLessThan(64 * MIB);
  // The size after decompression, in the directory and in the head of the entry.
  const lying = Buffer.from(archive);
  const stated = Buffer.alloc(4);
  stated.writeUInt32LE(values.length + size);
  for (let at = lying.indexOf(stated); at >= 0; at = lying.indexOf(stated)) lying.writeUInt32LE(1000, at);
  const lies = measure('readNpzImages', file('lies.npz', lying));
  expect(lies.error).toMatch(
    /data\.npy in .*lies\.npz cannot be read \(too many bytes in the stream. expected 1000\. got/,
  );
  expect(lies.rise).toBeLessThan(64 * MIB);
});
