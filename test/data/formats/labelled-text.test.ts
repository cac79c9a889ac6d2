import { mkdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type LabelledTableOptions,
  labelledFolderClasses,
  readLabelledFolder,
  readLabelledTable,
} from '../../../src/data/formats/labelled-text.ts';
import type { LabelledRecord } from '../../../src/data/formats/records.ts';
import { readAll, temporaryFolder } from './support.ts';

const { folder, file } = temporaryFolder();

describe('readLabelledFolder', () => {
  const read = (name: string, classes?: string[]) =>
    readAll<LabelledRecord>((bad) => readLabelledFolder(`${folder}/${name}`, bad, { classes }));

  test("IMDb's layout: neg is 0, pos is 1, unsup has no labels", async () => {
    for (const name of ['pos', 'neg', 'unsup']) mkdirSync(`${folder}/imdb/${name}`, { recursive: true });
    file('imdb/pos/1_9.txt', '\ufeffGreat<br />café.\r\n');
    file('imdb/pos/0_10.txt.gz', gzipSync('Fine.'));
    file('imdb/neg/0_2.txt', 'Dull.');
    file('imdb/neg/notes.md', 'no review');
    file('imdb/unsup/0_0.txt', 'Neither.');
    const { records, count } = await read('imdb');
    expect(count).toBe(0);
    expect(records.map(({ text, label, id, line }) => [text, label, id, line])).toEqual([
      ['Dull.', 0, '0_2.txt', 1],
      ['Fine.', 1, '0_10.txt.gz', 1],
      ['Great<br />café.\r\n', 1, '1_9.txt', 1],
    ]);
    expect(records[0]!.file).toBe(`${folder}/imdb/neg/0_2.txt`);
    const other = await read('imdb', ['unsup', 'neg']);
    expect(other.records.map(({ text, label }) => [text, label])).toEqual([
      ['Neither.', 0],
      ['Dull.', 1],
    ]);
  });

  test('other folders are sorted; bad files are counted', async () => {
    for (const name of ['b', 'a', 'c']) mkdirSync(`${folder}/topics/${name}`, { recursive: true });
    file('topics/c/0.txt', Uint8Array.of(0x61, 0xe9));
    file('topics/c/1.txt', '');
    file('topics/c/2.txt.gz', gzipSync('a text that is cut short').subarray(0, 20));
    file('topics/c/3.txt', 'é'.repeat(2_500_001));
    file('topics/a/0.txt', 'A');
    expect(await labelledFolderClasses(`${folder}/topics`)).toEqual(['a', 'b', 'c']);
    const { records, bad, count } = await read('topics');
    expect(records.map(({ text, label }) => [text.length, label])).toEqual([
      [1, 0],
      [2_500_001, 2],
    ]);
    expect(count).toBe(3);
    expect(bad.map(([, reason]) => reason)).toEqual([
      'not UTF-8',
      expect.stringContaining('1.txt is empty'),
      expect.stringContaining('2.txt.gz cannot be read'),
    ]);
  });

  test('what is not there is an error in one sentence', async () => {
    mkdirSync(`${folder}/bare/x`, { recursive: true });
    await expect(read('bare')).rejects.toThrow('bare holds no .txt file in x; check the folder.');
    await expect(read('bare/x')).rejects.toThrow('x holds no folders; give one with a folder for each class.');
    await expect(read('nowhere')).rejects.toThrow('nowhere is no folder that can be read');
    await expect(read('bare', ['y'])).rejects.toThrow('bare/y is no folder that can be read; check the names');
  });
});

describe('readLabelledTable', () => {
  const read = (data: string | Uint8Array, options?: LabelledTableOptions) =>
    readAll<LabelledRecord>((bad) => readLabelledTable(file('table', data), bad, options));

  test('gives back JSON lines and columns', async () => {
    const rows = fc.array(fc.tuple(fc.string({ minLength: 1, unit: 'grapheme' }), fc.nat(9)), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(
        rows,
        fc.boolean(),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        async (rows, isJson, newline, zipped) => {
          const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
          // A line ends at LF, which no column may hold.
          const texts = rows.map(([text]) => (isJson ? text : text.replace(/[\t\r\n]/g, ' ')));
          const lines = isJson
            ? rows.map(([, label], i) => JSON.stringify({ id: i, label, text: texts[i] }))
            : ['id\ttext\tlabel', ...rows.map(([, label], i) => `${i}\t${quote(texts[i]!)}\t${label}`)];
          const data = lines.join(newline) + newline;
          const { records, count } = await read(zipped ? gzipSync(data) : data);
          expect(count).toBe(0);
          expect(records).toEqual(
            rows.map(([, label], i) => ({
              text: texts[i],
              label,
              file: `${folder}/table`,
              line: i + (isJson ? 1 : 2),
            })),
          );
        },
      ),
      { numRuns: 60, seed: 13 },
    );
  });

  test('names of columns and of classes; text that only looks quoted stays', async () => {
    const options = { text: 'review', label: 'mood', classes: ['bad', 'good'] };
    const { records, bad } = await read(
      'mood\treview\ngood\t"So" he said\nbad\t"\nbad\t"A" and "B"\ngood\t"say ""so"""\nugly\tx\n',
      options,
    );
    expect(records.map(({ text, label }) => [text, label])).toEqual([
      ['"So" he said', 1],
      ['"', 0],
      ['"A" and "B"', 0],
      ['say "so"', 1],
    ]);
    expect(bad).toEqual([[6, '"mood" is "ugly", not one of bad, good']]);
    const json = await read('{"review": "x", "mood": "good"}\n{"review": "y", "mood": 1}', options);
    expect(json.records.map(({ label }) => label)).toEqual([1]);
    expect(json.bad).toEqual([[2, '"mood" is 1, not one of bad, good']]);
  });

  test('counts what it cannot use and continues', async () => {
    const json = [
      '{"text": "a", "label": 0}',
      '{"text": "a", "label": 1.5}',
      '{"text": "a", "label": "x"}',
      '{"text": "a", "label": -1}',
      '{"text": "a"}',
      '{"text": "", "label": 0}',
      '{"label": 0}',
      '[1]',
      '{"text": "a", "la',
      '',
      '{"text": "b", "label": "12"}',
    ].join('\n');
    const { records, bad, count } = await read(Buffer.concat([Buffer.from(json), Buffer.from([10, 0x22, 0xff])]));
    expect(records.map(({ text, label, line }) => [text, label, line])).toEqual([
      ['a', 0, 1],
      ['b', 12, 11],
    ]);
    expect(count).toBe(9);
    const integer = 'not an integer from 0; list the labels in "classes" if they are names';
    expect(bad).toEqual([
      [2, `"label" is 1.5, ${integer}`],
      [3, `"label" is "x", ${integer}`],
      [4, `"label" is -1, ${integer}`],
      [5, `"label" is missing, ${integer}`],
      [6, '"text" is empty'],
      [7, '"text" is missing'],
      [8, 'JSON, but no object'],
      [9, expect.stringMatching(/^not JSON \(/)],
      [12, 'not UTF-8, with a NUL byte, or longer than 16 MiB'],
    ]);
    const table = await read('text\tlabel\na\nb\t1\tc\nd\t2\n');
    expect(table.records.map(({ text }) => text)).toEqual(['d']);
    expect(table.bad).toEqual([
      [2, '1 columns instead of 2'],
      [3, '3 columns instead of 2'],
    ]);
  });

  test('a cell in quotes may have several lines; commas separate where no tabs do', async () => {
    const expected = [
      { text: 'line one\nline two', label: 1, line: 2 },
      { text: 'b', label: 0, line: 4 },
    ];
    for (const separator of ['\t', ',']) {
      for (const newline of ['\n', '\r\n']) {
        const table = 'text\tlabel\n"line one\nline two"\t1\nb\t0\n'
          .replaceAll('\t', separator)
          .replaceAll('\n', newline);
        for (const data of [table, `\ufeff${table.trimEnd()}`]) {
          const { records, count } = await read(data);
          expect(records).toEqual(expected.map((record) => ({ ...record, file: `${folder}/table` })));
          expect(count).toBe(0);
        }
      }
    }
  });

  test('a line of 5 MB', async () => {
    const text = 'é'.repeat(2_600_000);
    for (const data of [JSON.stringify({ text, label: 3 }), `text\tlabel\n${text}\t3`]) {
      const { records } = await read(data);
      expect([records.length, records[0]!.text === text, records[0]!.label]).toEqual([1, true, 3]);
    }
  });

  test('another file is an error in one sentence', async () => {
    await expect(read('a\tb\n1\t2\n')).rejects.toThrow('table has no column "text" but "a","b"; name the columns');
    await expect(read('')).rejects.toThrow('table is empty');
    await expect(read(Uint8Array.of(0xff, 0x61, 10))).rejects.toThrow('table has no column "text"');
    await expect(read(gzipSync('text\tlabel\na\t1\n').subarray(0, 22))).rejects.toThrow('cannot be read');
  });
});
