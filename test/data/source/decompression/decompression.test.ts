import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { bunzip2 } from '../../../../src/data/source/decompression/bzip2.ts';
import { unzstd } from '../../../../src/data/source/decompression/zstd.ts';
import { openText } from '../../../../src/data/source/files.ts';
import { temporaryFolder } from '../../formats/support.ts';

const { folder, file } = temporaryFolder();
const golden = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../../golden/compression/${name}`, import.meta.url)));

/** What the golden files hold. */
const records = Array.from({ length: 2000 }, (_, i) => `{"text": "record ${i} ${'x'.repeat(i % 50)}"}\n`).join('');

async function readAll(path: string): Promise<string> {
  let text = '';
  for await (const chunk of openText(path)) text += chunk;
  return text;
}
const read = (data: Uint8Array) => readAll(file('some', data));
const rejection = async (data: Uint8Array) => read(data).then(() => 'none', String);

/** A source of chunks of `size` bytes. */
async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function textOf(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all).toString();
}

const skippable = (content: string) => {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a5c, 0);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, Buffer.from(content)]);
};

describe('Zstandard', () => {
  test('output of pzstd, and skippable frames first, between and last', async () => {
    const data = golden('pzstd.jsonl.zst');
    expect(data.readUInt32LE(0)).toBe(0x184d2a50);
    expect((await read(data)) === records).toBe(true);
    const more = Buffer.concat([skippable(''), data, skippable('abc'), skippable('d'.repeat(300_000)), data]);
    expect((await read(Buffer.concat([more, skippable('end')]))) === records + records).toBe(true);
    expect(await rejection(more.subarray(0, 20 + data.length))).toMatch(/cannot be read \(.*end before their end/);
    expect(await rejection(Buffer.concat([data, Buffer.from('rest')]))).toContain('bytes that begin no frame');
  });

  test('a window of 2 GiB, of which the content fills little', async () => {
    expect((await read(golden('window-2-gib.jsonl.zst'))) === records).toBe(true);
  });

  test('a window of 64 MiB, which the content fills', async () => {
    // Blocks of one repeated byte: 128 KiB each.
    const blocks = (count: number, from: number) =>
      Array.from({ length: count }, (_, i) => {
        const header = ((2 ** 17) << 3) | 2 | (i === count - 1 ? 1 : 0);
        return Uint8Array.of(header & 255, (header >> 8) & 255, header >> 16, 97 + ((from + i) % 26));
      });
    const frame = (windowByte: number, count: number) =>
      Buffer.concat([Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, windowByte), ...blocks(count, 0)]);
    const message = await rejection(frame(16 << 3, 258));
    expect(message).toBe(
      `DataError: ${folder}/some is compressed with a Zstandard window of 64 MiB, of which 32 are kept; ` +
        'compress it again with a smaller one: zstd -dc --long=31 some | zstd -19 -o NEW.',
    );
    expect((await read(frame(16 << 3, 40))).length).toBe(40 * 2 ** 17);
    expect((await read(frame(11 << 3, 258))).length).toBe(258 * 2 ** 17);
  });

  test('a damaged byte is found by the checksum', async () => {
    expect(await rejection(golden('corrupt.jsonl.zst'))).toMatch(
      /^DataError: \S+some cannot be read \([^\n]+\) beyond byte \d+ of its decompressed content; the file may be damaged or cut short\.$/,
    );
    const whole = golden('pzstd.jsonl.zst');
    let numChecksums = 0;
    for (let at = 12; at < whole.length; at += 53) {
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 1 << (at % 8);
      const message = await rejection(flipped);
      expect(message).toContain('DataError');
      if (message.includes('(its checksum is another)')) numChecksums++;
    }
    // Some flips leave the size as it is.
    expect(numChecksums).toBeGreaterThan(0);
    const last = Buffer.from(whole);
    last[last.length - 1]! ^= 1;
    expect(await rejection(last)).toContain('(its checksum is another)');
    // What is intact in front of the damage was read, and is counted.
    const good = golden('pzstd.jsonl.zst');
    const message = await rejection(Buffer.concat([good, Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 8, 0)]));
    expect(message).toContain(
      `cannot be read (the header of a frame is not valid) beyond byte ${records.length} of its decompressed content;`,
    );
  });

  test('a dictionary is named', async () => {
    expect(await rejection(golden('dictionary.jsonl.zst'))).toBe(
      `DataError: ${folder}/some is compressed with the Zstandard dictionary 7; ` +
        'decompress it with that dictionary: zstd -d -D DICTIONARY some.',
    );
    // Numbers of dictionaries have one byte, two or four; those that zstd --train draws have four.
    for (const [flag, id] of [
      [1, 200],
      [2, 40_000],
      [3, 0x9a02_0000],
    ] as const) {
      const header = Buffer.alloc(10);
      header.set([0x28, 0xb5, 0x2f, 0xfd, flag, 0]);
      header.writeUInt32LE(id, 6);
      const message = await rejection(Buffer.concat([header, Buffer.alloc(8)]));
      expect(message).toContain(`is compressed with the Zstandard dictionary ${id}; decompress it`);
    }
  });

  test('cut short anywhere, wherever chunks end', async () => {
    const data = golden('pzstd.jsonl.zst');
    for (const size of [1, 2, 3, 7, 1000]) expect((await textOf(unzstd(chunksOf(data, size)))) === records).toBe(true);
    for (let length = 13; length < data.length; length += 101) {
      expect(await rejection(data.subarray(0, length))).toContain('end before their end');
    }
  });

  test('states its content size', async () => {
    // A frame of one segment with 3 bytes, which states 4.
    expect(await rejection(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 4, 0x19, 0, 0, 97, 98, 99))).toContain(
      'a frame has 3 bytes, not 4 as it states',
    );
    expect(await rejection(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 2, 0x19, 0, 0, 97, 98, 99))).toContain(
      'a frame has 3 bytes, not 2 as it states',
    );
    expect(await read(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, 0x19, 0, 0, 97, 98, 99))).toBe('abc');
  });
});

describe('bzip2', () => {
  test('cut short', async () => {
    expect(await rejection(golden('cut.jsonl.bz2'))).toBe(
      `DataError: ${folder}/some cannot be read (the compressed data end before their end) beyond byte 0 of its decompressed content; ` +
        'the file may be damaged or cut short.',
    );
  });

  const runs = [3, 4, 5, 259, 260, 1000].map((count, i) => 'abcdef'[i]!.repeat(count)).join('');
  const RUNS = 'QlpoOTFBWSZTWa6ARi0AAAJBAeAAPwAAgAAIIAAxADAj1T1PJMnZLz1Q4y7NxGHWhD0ojR8XckU4UJCugEYt';

  // Output of Python's bz2.compress.
  test.each<[string, string, string]>([
    ['one byte', 'QlpoOTFBWSZTWRmTm2sAAAABACAAIAAhGEaC7kinChIDMnNtYA==', 'a'],
    ['five equal bytes', 'QlpoOTFBWSZTWUSkMD0AAAJBACAAIAAgACEAggsXckU4UJBEpDA9', 'aaaaa'],
    ['runs around the lengths that are counted', RUNS, runs],
    [
      'all of ASCII',
      'QlpoOTFBWSZTWVHU5vsAAAF/gD////////////////////+wAMAh//qqoAAAAAAAAAAAAAAAAAAAAAgwAAAAAAAAAAAAAAAAAAAACDAAAAAAAAAAAAAAAAAAAAAfyBQSDQiFQyHRCJRSLRiNRyPSCRSSTSiVSyXTCZTSbTidTyfUChUSjUilUynVCpVSrVitVyvWCxWSzWi1Wy3XC5XS7Xi9Xy/YDBYTDYjFYzHZDJZTLZjNZzPaDRaTTajVazXbDZbTbbjdbzfcDhcTjcjlczndDpdTrdjtdzveDxeTzej1ez3fD5fT7fj9fz/F3JFOFCQUdTm+wA==',
      String.fromCharCode(...Array.from({ length: 127 }, (_, i) => i + 1)).repeat(3),
    ],
  ])('%s', async (_, base64, expected) => {
    const data = Buffer.from(base64, 'base64');
    expect(await read(data)).toBe(expected);
    for (const size of [1, 5]) expect(await textOf(bunzip2(chunksOf(data, size)))).toBe(expected);
    for (let length = 4; length < data.length; length++) {
      expect(await rejection(data.subarray(0, length))).toContain('end before their end');
    }
  });

  test('no flipped bit passes unnoticed', async () => {
    const data = Buffer.from(RUNS, 'base64');
    let numChecksums = 0;
    let numOfStream = 0;
    // From the fourth byte on: before, the file would be another.
    for (let bit = 32; bit < 8 * data.length; bit++) {
      const flipped = Buffer.from(data);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      // Some bits mean nothing, such as the last ones of the file.
      const message = await textOf(bunzip2(chunksOf(flipped, 64))).catch(String);
      expect(message === runs || message.startsWith('DataError: ')).toBe(true);
      if (message.includes('checksum')) numChecksums++;
      if (message === 'DataError: its checksum is another') numOfStream++;
    }
    expect(numChecksums).toBeGreaterThan(100);
    // Each bit of the checksum of all blocks.
    expect(numOfStream).toBe(32);
  });
});

describe('what is no text', () => {
  const tar = (name: string) => {
    const header = Buffer.alloc(1024);
    header.write(`${name}\0`, 0);
    header.write('0000644\x000000000\x000000000\x0000000000017\x0000000000000\0', 100);
    header.fill(' ', 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    header.write('some text', 512);
    return header;
  };

  test.each<[string, Uint8Array, string]>([
    ['tar without ustar', tar('a.txt'), 'is a tar archive; unpack it with "tar -xf some" and give what comes out.'],
    [
      'tar in gzip',
      gzipSync(tar('a.txt')),
      'is a tar archive, compressed with gzip; unpack it with "tar -xf some" and give what comes out.',
    ],
    ['xz', Buffer.from('\xfd7zXZ\0\0', 'latin1'), 'is compressed with xz; unpack it with "xz -dk some"'],
    ['zip', Buffer.from('PK\x03\x04\x14'), 'is a ZIP archive; unpack it with "unzip some"'],
    ['lz4', Buffer.from([4, 0x22, 0x4d, 0x18, 0x64]), 'is compressed with LZ4; unpack it with "lz4 -d some"'],
    ['7z', Buffer.from("7z\xbc\xaf'\x1c\0", 'latin1'), 'is a 7z archive; unpack it with "7z x some"'],
    ['rar', Buffer.from('Rar!\x1a\x07\x01\0'), 'is a RAR archive; unpack it with "unrar x some"'],
    ['Z', Buffer.from([0x1f, 0x9d, 0x90]), 'is compressed with compress (.Z); unpack it with "gzip -dk some"'],
    ['Arrow', Buffer.from('ARROW1\0\0'), 'is an Arrow (Feather) file; save its table as Parquet.'],
    ['PDF', Buffer.from('%PDF-1.7\n'), 'is a PDF file; take its text out with "pdftotext some".'],
    [
      'PDF in gzip',
      gzipSync('%PDF-1.7\n'),
      'is a PDF file, and compressed with gzip besides; decompress some, and then',
    ],
    ['gzip twice', gzipSync(gzipSync('text')), 'is compressed with gzip, and compressed with gzip besides; decompress'],
    ['UTF-16LE', Buffer.from('\ufeffabc', 'utf16le'), 'is text in UTF-16LE; save it as UTF-8: iconv -f UTF-16LE -t'],
    ['UTF-16BE', Buffer.from('\xfe\xff\0a', 'latin1'), 'is text in UTF-16BE; save it as UTF-8'],
    ['UTF-16 without a mark', Buffer.from('{"text": "a"}\n', 'utf16le'), 'is text in UTF-16LE; save it as UTF-8'],
    ['NUL bytes', Buffer.from(`${'a'.repeat(300_000)}\0`), 'has a NUL byte at byte 300000; check'],
  ])('%s', async (_, data, expected) => {
    const message = await rejection(data);
    expect(message.startsWith(`DataError: ${folder}/some ${expected}`)).toBe(true);
    expect(message.endsWith('.')).toBe(true);
  });

  test('text that begins like them stays', async () => {
    for (const text of [
      'PAR1 is a word',
      '7z',
      'PK',
      'BZh',
      'Rar!',
      '070701',
      'ORC of the hills',
      'MZ',
      '12345678'.repeat(64),
    ])
      expect(await read(Buffer.from(text))).toBe(text);
  });
});
