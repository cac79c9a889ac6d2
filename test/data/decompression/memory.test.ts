/** What files of few bytes take that decompress to many, each in a process of its own. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../formats/support.ts';

const { file } = temporaryFolder();
const library = join(import.meta.dirname, '../../../dist/node.js');
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

/** Reads a file in a process of its own. @returns characters that came, bad records, and by how much its memory grew at most */
function measure(reader: string, path: string): { characters: number; bad: string[]; error?: string; rise: number } {
  const program = `
    const { BadRecords, ...library } = await import(${JSON.stringify(library)});
    const bad = new BadRecords();
    const result = { characters: 0, bad: [] };
    const before = process.resourceUsage().maxRSS;
    try {
      for await (const part of library[process.argv[1]](process.argv[2], bad, { documents: 'line' })) {
        result.characters += (part.text ?? part).length;
      }
    } catch (error) {
      result.error = error.message;
    }
    result.bad = bad.examples.map(({ reason }) => reason);
    result.rise = (process.resourceUsage().maxRSS - before) * 1024;
    console.log(JSON.stringify(result));
  `;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program, reader, path], {
    encoding: 'utf8',
  });
  return JSON.parse(output);
}

const TOO_LONG = 'not UTF-8, with a NUL byte, or longer than 16 MiB';

test.each([
  ['zst', zstdBomb(1280), 160 * MIB],
  ['bz2', Buffer.from(BZIP2_BOMB, 'base64'), 100 * MIB],
  ['gz', gzipBomb(10), 160 * MIB],
])('%s: a text streams, and a record without an end is none', { timeout: 60_000 }, (ending, data, size) => {
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
