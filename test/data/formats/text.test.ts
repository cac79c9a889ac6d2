import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lineFeeds, readText, type TextOptions } from '../../../src/data/formats/text.ts';
import { readAll, temporaryFolder } from './support.ts';
import { zstdChunks } from './zstd-chunks.ts';

const { folder, file } = temporaryFolder();

async function read(data: string | Uint8Array, options?: TextOptions) {
  const path = file('some.txt', data);
  return readAll((bad) => readText(path, bad, options));
}

/** Lines that are not blank and hold no end of a line. */
const line = fc
  .string({ unit: fc.constantFrom('a', ' ', 'é', '東', '😀', '\t', '\u2028', '\ufeff', '\u0001'), maxLength: 8 })
  .map((text) => `x${text}`);
const newline = fc.constantFrom('\n', '\r\n');
const blockSize = fc.integer({ min: 1, max: 9 });

describe('readText', () => {
  test('lines come back, wherever chunks end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(line), { minLength: 1 }),
        newline,
        blockSize,
        fc.boolean(),
        async (...all) => {
          const [lines, end, size, endsWithNewline] = all;
          const data = lines.map((text) => text ?? ' ').join(end) + (endsWithNewline ? end : '');
          const { records, count } = await read(zstdChunks(data, size), { documents: 'line' });
          const expected = lines.flatMap((text, i) => (text === null ? [] : [[text, i + 1]]));
          expect(records.map(({ text, line }) => [text, line])).toEqual(expected);
          expect(count).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('blocks come back, wherever chunks end', async () => {
    const block = fc.array(line, { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(block, { minLength: 1, maxLength: 5 }),
        newline,
        blockSize,
        async (blocks, end, size) => {
          const data = `${blocks.map((lines) => lines.join(end)).join(`${end} ${end}${end}`)}${end}`;
          const { records } = await read(zstdChunks(data, size), { documents: 'block' });
          let start = 1;
          const expected = blocks.map((lines) => {
            const record = { text: lines.join('\n'), line: start };
            start += lines.length + 2;
            return record;
          });
          expect(records).toMatchObject(expected);
          expect(records).toHaveLength(blocks.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a file is one document, with LF for CRLF and without its byte order mark', async () => {
    const { records } = await read(gzipSync('\ufeffone\r\n\r\ntwo\rthree\r'));
    expect(records).toEqual([{ text: 'one\n\ntwo\rthree\r', file: `${folder}/some.txt`, line: 1 }]);
    expect((await read('\ufeffone\r\n\r\ntwo', { documents: 'line' })).records.map(({ text }) => text)).toEqual([
      'one',
      'two',
    ]);
  });

  test('what is not UTF-8 is counted by its line, and nothing else is lost', async () => {
    const data = Buffer.from('good\n\nb\xe9d\r\nrest\n\ngo\nod\n', 'latin1');
    expect(await read(data, { documents: 'line' })).toMatchObject({
      records: [
        { text: 'good', line: 1 },
        { text: 'rest', line: 4 },
        { text: 'go', line: 6 },
        { text: 'od', line: 7 },
      ],
      bad: [[3, expect.stringContaining('not UTF-8')]],
    });
    expect(await read(data, { documents: 'block' })).toMatchObject({
      records: [
        { text: 'good', line: 1 },
        { text: 'go\nod', line: 6 },
      ],
      bad: [[3, expect.stringContaining('not UTF-8')]],
    });
    await expect(read(data)).rejects.toThrow('some.txt is not UTF-8 at byte 7');
  });

  test('a line of five megabytes is one record', async () => {
    const long = 'é '.repeat(1_700_000);
    const { records } = await read(gzipSync(`a\n${long}\nb`), { documents: 'line' });
    expect(records.map(({ text }) => text.length)).toEqual([1, long.length, 1]);
    expect(records[1]!.text === long).toBe(true);
  });

  test.each(['file', 'block', 'line'] as const)(
    'by %s: missing, empty and damaged files are named',
    async (documents) => {
      await expect(readAll((bad) => readText(`${folder}/none.txt`, bad, { documents }))).rejects.toThrow(
        'does not exist',
      );
      await expect(read('', { documents })).rejects.toThrow('some.txt is empty');
      const cut = gzipSync(Buffer.from('some text\n'.repeat(900))).subarray(0, 40);
      await expect(read(cut, { documents })).rejects.toThrow(
        /some\.txt cannot be read \([^\n]+\)(?: beyond byte \d+ of its decompressed content)?; the file may be damaged/,
      );
    },
  );
});

test('lineFeeds gives the same wherever chunks end', async () => {
  const character = fc.constantFrom('\r', '\n', 'a', '\r\n');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(character, { maxLength: 3 })), async (chunks) => {
      const texts = chunks.map((characters) => characters.join(''));
      let result = '';
      for await (const text of lineFeeds(texts)) result += text;
      expect(result).toBe(texts.join('').replace(/\r\n/g, '\n'));
    }),
  );
});
