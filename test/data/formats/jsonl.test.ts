import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FieldOptions, readJsonl } from '../../../src/data/formats/jsonl.ts';
import { readAll, temporaryFolder } from './support.ts';
import { zstdChunks } from './zstd-chunks.ts';

const { folder, file } = temporaryFolder();

async function read(data: string | Uint8Array, options?: FieldOptions) {
  const path = file('some.jsonl', data);
  return readAll((bad) => readJsonl(path, bad, options));
}

describe('readJsonl', () => {
  test('records come back, wherever chunks end', async () => {
    const text = fc.string({ unit: 'binary', minLength: 1 }).map((value) => value.replace(/\0|\p{Surrogate}/gu, '?'));
    const record = fc.record({ body: text, name: fc.oneof(text, fc.integer()), other: fc.jsonValue() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(record), { minLength: 1 }),
        fc.constantFrom('\n', '\r\n'),
        fc.integer({ min: 1, max: 20 }),
        fc.boolean(),
        async (records, end, size, isMarked) => {
          const lines = records.map((value) => (value === null ? ' ' : JSON.stringify(value)));
          const data = zstdChunks((isMarked ? '\ufeff' : '') + lines.join(end), size);
          const result = await read(data, { text: 'body', id: 'name', group: 'nowhere' });
          const path = `${folder}/some.jsonl`;
          const expected = records.flatMap((value, i) =>
            value === null ? [] : [{ text: value.body, id: String(value.name), file: path, line: i + 1 }],
          );
          expect(result).toEqual({ records: expected, bad: [], count: 0 });
        },
      ),
      { numRuns: 60 },
    );
  });

  test('every line that cannot be used is counted, with the reason', async () => {
    const lines = [
      '{"text": "a", "group": 7}',
      '{"text": "cut',
      '{"body": "b", "more": 1}',
      '{"text": null}',
      '{"text": ""}',
      '{"text": ["c"]}',
      '["text"]',
      '"text"',
      '{}',
      '{"text": "d"}{"text": "e"}',
      '{"text": "f", "group": null}',
      '{"text": "g\\u0000h"}',
    ];
    const { records, bad, count } = await read(lines.join('\n'), { group: 'group' });
    expect(records).toMatchObject([
      { text: 'a', group: '7', line: 1 },
      { text: 'f', line: 11 },
    ]);
    expect(records[1]).not.toHaveProperty('group');
    expect(count).toBe(10);
    expect(bad).toEqual([
      [2, expect.stringMatching(/^not JSON \(.+\)$/)],
      [3, 'no field "text"; there is "body", "more"'],
      [4, '"text" is null'],
      [5, '"text" is empty'],
      [6, '"text" is no text'],
      [7, 'JSON, but no object'],
      [8, 'JSON, but no object'],
      [9, 'no field "text"; there is none'],
      [10, expect.stringMatching(/^not JSON/)],
      [12, '"text" has a NUL character'],
    ]);
  });

  test('a line that is not UTF-8 spoils no other', async () => {
    const data = Buffer.concat([
      Buffer.from('{"text": "é"}\n'),
      Buffer.from('{"text": "\xe9"}\n', 'latin1'),
      Buffer.from('{"text": "東"}'),
    ]);
    const { records, bad } = await read(data);
    expect(records.map(({ text }) => text)).toEqual(['é', '東']);
    expect(bad).toEqual([[2, expect.stringContaining('not UTF-8')]]);
  });

  test('a line of five megabytes is one record', async () => {
    const text = 'é"\n'.repeat(800_000);
    const { records, count } = await read(gzipSync(`${JSON.stringify({ text })}\n{"text": "b"}`));
    expect([records[0]!.text === text, records[1]!.text, count]).toEqual([true, 'b', 0]);
  });

  test('missing, empty and cut files are named', async () => {
    await expect(readAll((bad) => readJsonl(`${folder}/none.jsonl`, bad))).rejects.toThrow('does not exist');
    await expect(read('')).rejects.toThrow('some.jsonl is empty');
    await expect(read(gzipSync('{"text": "some text"}\n'.repeat(900)).subarray(0, 50))).rejects.toThrow('damaged');
  });
});

test('NaN and Infinity, as Python writes them, are null; in strings they stay', async () => {
  const lines = [
    '{"score": NaN, "text": "NaN, Infinity and \\"-Infinity\\""}',
    '{"text": "a\\\\", "x": [-Infinity, Infinity,NaN], "id": NaN, "y": {"NaN": NaN}}',
    '{"text": "b", "x": NaNs}',
    '{"text": NaN}',
  ];
  const { records, bad } = await readAll((bad) => readJsonl(file('nan.jsonl', lines.join('\n')), bad, { id: 'id' }));
  expect(records.map(({ text, id, line }) => [text, id, line])).toEqual([
    ['NaN, Infinity and "-Infinity"', undefined, 1],
    ['a\\', undefined, 2],
  ]);
  expect(bad).toEqual([
    [3, expect.stringMatching(/^not JSON/)],
    [4, '"text" is null'],
  ]);
});
