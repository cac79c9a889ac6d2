import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expandPaths, openText } from '../../../src/data/source/files.ts';
import { mixedLines } from '../text-mixture.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'files-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes a file and returns its path. */
function file(name: string, data: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, data);
  return path;
}

async function readAll(path: string): Promise<string> {
  let text = '';
  for await (const chunk of openText(path)) text += chunk;
  return text;
}

/** A Zstandard frame of uncompressed blocks: magic, descriptor, 128 KiB window, then blocks of at most `blockSize`. */
function zstdFrame(data: Uint8Array, blockSize = 100_000): Uint8Array {
  const parts: number[][] = [[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38]];
  for (let start = 0; start === 0 || start < data.length; start += blockSize) {
    const block = data.subarray(start, start + blockSize);
    const header = (block.length << 3) | (start + blockSize >= data.length ? 1 : 0);
    parts.push([header & 255, (header >> 8) & 255, header >> 16], [...block]);
  }
  return Uint8Array.from(parts.flat());
}

// Output of `zstd -19` for the phrase, 20 times.
const ZSTD_PHRASE = 'the whale, the whale, the white whale; call me Ishmael… ';
const ZSTD_FIXTURE = 'KLUv/QRofQEAJAJ0aGUgd2hhbGUsIGl0OyBjYWxsIG1lIElzaG1hZWzigKYgAwCX6Oozmi72XLystftX';

// Output of Python's bz2: the phrase 20 times; two streams; several blocks of 100 kB; nothing.
const BZIP2_FIXTURE =
  'QlpoOTFBWSZTWTRvbr0AAeId0UAEAAgAICpmDIBAAAEAEAAgAJAoaaYAApVJ6ajCZNPZME3J+JkTUoZJyTgq4JgmCYE6JoTYq5J2ValWhOyZJkmQ' +
  'm5ME2J0TsnooeE8JsT+LuSKcKEgaN7degA==';
const BZIP2_STREAMS =
  'QlpoOTFBWSZTWaRjnbsAAACRgEAAASAcACAAIYAMAycu4u5IpwoSFIxzt2BCWmg5MUFZJlNZnaE1+QAAAxGUQAACIASQBAAIACAAMQwIGIyaLXjn' +
  'W+LuSKcKEhO0Jr8g';
const BZIP2_BLOCKS =
  'QlpoMTFBWSZTWdYCeNUAHgpJAAAQf+AwACAAkCAaAApVBoNNNJAq2SBVrikCrmkCrFIFXVIFXdIFXlIFXtIFWaQKvqQKtUgVZSBV+YoKyTKay39l' +
  'k6AFogpIAACD/wGAAQAEgQDQAFKkNAaapAqxSBVtSBVvSBVxSBVmkCrmkCrqkCrukCrykCr1IFXyQKsaSBV+YoKyTKayVeydKgC0ZZIAACD/wGAA' +
  'QAEgQDQAFKoNGhpqkCNkgRukCOEgRykCMJAjpIEdpAjKQI8SBGfUgR9SBGqQI/F3JFOFCQrSbJKg';
const BZIP2_NOTHING = 'QlpoORdyRThQkAAAAAA=';

describe('openText', () => {
  // Longer than a read, with characters of every width at all offsets.
  const text = [...mixedLines(20_000, 5)].join('\n').replaceAll('\0', 'NUL');
  const bytes = Buffer.from(text);
  const half = Math.floor(bytes.length / 2);

  test.each<[string, Uint8Array, string]>([
    ['plain text', bytes, text],
    ['gzip', gzipSync(bytes), text],
    [
      'gzip of several members',
      Buffer.concat([gzipSync(bytes.subarray(0, half)), gzipSync(bytes.subarray(half))]),
      text,
    ],
    ['Zstandard', zstdFrame(bytes), text],
    ['Zstandard of several frames', Buffer.concat([zstdFrame(bytes), zstdFrame(bytes, 131_072)]), text + text],
    ['bzip2', Buffer.from(BZIP2_FIXTURE, 'base64'), ZSTD_PHRASE.repeat(20)],
    ['bzip2 of several streams', Buffer.from(BZIP2_STREAMS, 'base64'), 'first zweite ä'],
    ['bzip2 of several blocks', Buffer.from(BZIP2_BLOCKS, 'base64'), '0123456789ab\n'.repeat(20_000)],
    ['text that begins like bzip2', Buffer.from('BZh is no magic'), 'BZh is no magic'],
    ['compressed Zstandard blocks', Buffer.from(ZSTD_FIXTURE, 'base64'), ZSTD_PHRASE.repeat(20)],
    ['a byte order mark', Buffer.from('\ufeffa\ufeffb'), 'a\ufeffb'],
    ['a byte order mark in gzip', gzipSync('\ufeffa'), 'a'],
    ['CRLF', Buffer.from('ab\r\n'), 'ab\r\n'],
    ['one byte', Buffer.from('x'), 'x'],
  ])('reads %s, whatever the name', async (_, data, expected) => {
    expect(bytes.length).toBeGreaterThan(1 << 19);
    expect((await readAll(file('any.bin', data))) === expected).toBe(true);
  });

  test('never ends a chunk inside a character', async () => {
    const path = file('emoji.txt', `a${'😀'.repeat(200_000)}`);
    for await (const chunk of openText(path)) expect(/\p{Surrogate}/u.test(chunk)).toBe(false);
  });

  const long = Buffer.from('é'.repeat(300_000));
  test.each<[string, Uint8Array, number]>([
    ['a stray continuation byte', Buffer.from([0x61, 0x80, 0x62]), 1],
    ['an overlong form', Buffer.from([0x61, 0x62, 0xc0, 0xaf]), 2],
    ['a surrogate', Buffer.from([0xed, 0xa0, 0x80]), 0],
    ['a byte that UTF-8 never has', Buffer.from([0x61, 0xff]), 1],
    ['a character cut short at the end', Buffer.from([0xc3, 0xa9, 0xe2, 0x82]), 2],
    ['Latin-1 far into the file', Buffer.concat([long, Buffer.from([0xe9, 0x20]), long]), 600_000],
    ['the same in gzip', gzipSync(Buffer.concat([long, Buffer.from([0xe9, 0x20]), long])), 600_000],
    ['Latin-1 after a byte order mark', Buffer.from([0xef, 0xbb, 0xbf, 0x61, 0xe9]), 4],
  ])('reports %s with its offset', async (_, data, offset) => {
    const path = file('invalid.txt', data);
    await expect(readAll(path)).rejects.toThrow(`${path} is not UTF-8 at byte ${offset}; save it as UTF-8 text.`);
  });

  test('reports missing, empty and damaged files and directories', async () => {
    const damaged =
      / cannot be read \([^\n]+\)(?: beyond byte \d+ of its decompressed content)?; the file may be damaged or cut short\.$/;
    await expect(readAll(join(folder, 'nowhere.txt'))).rejects.toThrow('nowhere.txt does not exist; check the path.');
    await expect(readAll(file('empty.txt', ''))).rejects.toThrow('empty.txt is empty; give a file with text.');
    await expect(readAll(file('empty.gz', gzipSync('')))).rejects.toThrow('empty.gz is empty');
    await expect(readAll(folder)).rejects.toThrow(`${folder} is a directory; name files or use a glob`);
    await expect(readAll(file('cut.gz', gzipSync(bytes).subarray(0, 5000)))).rejects.toThrow(damaged);
    await expect(readAll(file('cut.zst', zstdFrame(bytes).subarray(0, 150_000)))).rejects.toThrow(damaged);
    await expect(readAll(file('header.zst', zstdFrame(bytes).subarray(0, 5)))).rejects.toThrow(damaged);
    await expect(readAll(file('empty.bz2', Buffer.from(BZIP2_NOTHING, 'base64')))).rejects.toThrow(
      'empty.bz2 is empty',
    );
    const bzip2 = Buffer.from(BZIP2_BLOCKS, 'base64');
    for (const size of [4, 5, 90, bzip2.length - 1]) {
      await expect(readAll(file('cut.bz2', bzip2.subarray(0, size)))).rejects.toThrow(damaged);
    }
    bzip2[100]! ^= 1;
    await expect(readAll(file('flipped.bz2', bzip2))).rejects.toThrow(damaged);
    const flipped = gzipSync(bytes);
    flipped[flipped.length - 6]! ^= 1;
    await expect(readAll(file('flipped.gz', flipped))).rejects.toThrow(damaged);
  });
});

describe('expandPaths', () => {
  beforeAll(() => {
    mkdirSync(join(folder, 'corpus/deep'), { recursive: true });
    for (const name of ['b.txt', 'a.txt', 'c.md', 'deep/d.txt', '[odd].txt']) file(`corpus/${name}`, 'x');
  });
  const expand = (...patterns: string[]) => expandPaths(patterns, join(folder, 'corpus'));

  test('gives sorted paths, each once', async () => {
    expect(await expand('b.txt', '*.md', '[ab].txt')).toEqual(['a.txt', 'b.txt', 'c.md']);
    expect(await expand('**/*.txt')).toEqual(['[odd].txt', 'a.txt', 'b.txt', 'deep/d.txt']);
    expect(await expand('{a,c}.*')).toEqual(['a.txt', 'c.md']);
    expect(await expand(join(folder, 'corpus/?.txt'))).toEqual(['a', 'b'].map((n) => join(folder, `corpus/${n}.txt`)));
  });

  test('takes a name that exists as it is', async () => {
    expect(await expand('[odd].txt')).toEqual(['[odd].txt']);
  });

  test('names what gives no file', async () => {
    await expect(expand('a.txt', '*.pdf')).rejects.toThrow('No file matches *.pdf; check the pattern');
    await expect(expand('z.txt')).rejects.toThrow('z.txt does not exist; check the path.');
    await expect(expand('deep')).rejects.toThrow('deep is a directory; name files or use a glob such as deep/*.txt.');
    await expect(expand()).rejects.toThrow('No files are named; give at least one path or glob.');
  });
});
