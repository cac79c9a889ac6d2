import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FieldOptions } from '../../../../src/data/formats/jsonl.ts';
import { readParquet } from '../../../../src/data/formats/parquet/parquet.ts';
import { readAll, temporaryFolder } from '../support.ts';
import { parquetFile } from './parquet-writer.ts';

const { folder, file } = temporaryFolder();
// Written by pyarrow: see generate.py there.
const golden = (name: string) => join(import.meta.dirname, '../../../golden/parquet', `${name}.parquet`);
const read = (path: string, options?: FieldOptions) => readAll((bad) => readParquet(path, bad, options));

/** What generate.py writes, without the rows that have no text. */
const rows = Array.from({ length: 23 }, (_, i) => ({
  text: `Row ${i}: ${'Performers são λ𝛼 東京. '.repeat((i % 5) + 1)}`,
  id: `${100 + i}`,
  ...(i === 5 ? {} : { group: `group ${i % 3}` }),
  line: i + 1,
})).filter((_, i) => i !== 3 && i !== 7);

describe('readParquet', () => {
  test.each(['snappy', 'gzip', 'zstd', 'lz4', 'page-v2'])('reads what pyarrow wrote: %s', async (name) => {
    const { records, bad } = await read(golden(name), { id: 'id', group: 'organism' });
    expect(records).toEqual(rows.map((row) => ({ ...row, file: golden(name) })));
    expect(bad).toEqual([
      [4, '"text" is null'],
      [8, '"text" is empty'],
    ]);
  });

  test('text that is not UTF-8 is counted, in a column of strings and of bytes', async () => {
    const { records, bad } = await read(golden('latin1'));
    expect([records.map(({ text }) => text), bad]).toEqual([['ok'], [[2, 'not UTF-8']]]);
    const bytes = await read(golden('zstd'), { text: 'blob' });
    expect(bytes.records).toHaveLength(20);
    expect(bytes.bad.map(([line]) => line)).toEqual([4, 8, 12]);
  });

  test('a column that is not there, or no text, is named', async () => {
    const columns = '"meta", "id", "text", "organism", "blob"';
    await expect(read(golden('zstd'), { text: 'body' })).rejects.toThrow(
      `zstd.parquet has no column "body"; name one of ${columns}.`,
    );
    await expect(read(golden('zstd'), { group: 'year' })).rejects.toThrow('no column "year"');
    const { records, count, bad } = await read(golden('zstd'), { text: 'meta' });
    expect([records.length, count, bad[0]]).toEqual([0, 23, [1, '"meta" is no text']]);
  });

  describe('takes no memory for what a damaged file only states', () => {
    const whole = Buffer.from(parquetFile('text', ['one', 'two', 'three'], 3));
    /** The file with the only place of `before` replaced, bytes for bytes. */
    const damaged = (before: number[], after: number[]) => {
      const at = whole.indexOf(Buffer.from(before));
      expect(at).toBeGreaterThan(0);
      const bytes = Buffer.from(whole);
      Buffer.from(after).copy(bytes, at);
      return file('damaged.parquet', bytes);
    };

    test('a list of two to the power of 25 in the footer', async () => {
      // The list of schema elements, two structures, becomes one whose length follows; what comes next no longer matters.
      const path = damaged([0x2c, 0x48, 0x06], [0xfc, 0xff, 0xff]);
      await expect(read(path)).rejects.toThrow('damaged.parquet cannot be read (a list is longer than its file)');
    });

    test('values of a page', async () => {
      // 3 values, plain encoding.
      const path = damaged([0x2c, 0x15, 0x06, 0x15, 0x00], [0x2c, 0x15, 0x7e, 0x15, 0x00]);
      await expect(read(path)).rejects.toThrow('damaged.parquet cannot be read (a page states 63 values, more than 3)');
    });

    test('bytes of a page', async () => {
      const path = file('large.parquet', parquetFile('text', ['one'], 1, { statedSize: 2 ** 30 }));
      await expect(read(path)).rejects.toThrow(
        'large.parquet cannot be read (a page of 7 bytes states that it has 1073741824; above 16 MiB, 8 times as many are read',
      );
    });

    test('a structure without an end', async () => {
      const bytes = Buffer.from(whole);
      const start = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
      bytes.fill(0x1c, start, bytes.length - 8);
      await expect(read(file('deep.parquet', bytes))).rejects.toThrow('its structures are nested too deeply');
    });
  });

  test('no rows are no records', async () => {
    expect(await read(golden('no-rows'))).toEqual({ records: [], bad: [], count: 0 });
  });

  test('rows come back, however they are grouped', async () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 1 }),
        fc.integer({ min: 1, max: 7 }),
        async (texts, rowsPerGroup) => {
          const path = file('some.parquet', parquetFile('body', texts, rowsPerGroup));
          const { records } = await read(path, { text: 'body' });
          expect(records).toEqual(texts.map((text, i) => ({ text, file: path, line: i + 1 })));
        },
      ),
      { numRuns: 50 },
    );
  });

  test('missing, empty, foreign and damaged files are named', async () => {
    await expect(read(join(folder, 'none.parquet'))).rejects.toThrow('none.parquet does not exist');
    await expect(read(file('empty.parquet', ''))).rejects.toThrow('empty.parquet is empty; give a Parquet file.');
    const damaged = /cannot be read \([^\n]+\); the file may be damaged, cut short or no Parquet file\.$/;
    await expect(read(file('text.parquet', 'not a table at all'))).rejects.toThrow(damaged);
    const whole = readFileSync(golden('zstd'));
    for (const size of [3, 100, whole.length - 9, whole.length - 1]) {
      await expect(read(file('cut.parquet', whole.subarray(0, size)))).rejects.toThrow(damaged);
    }
    const holed = Buffer.from(whole);
    holed.fill(0, 60, 4000);
    await expect(read(file('holed.parquet', holed))).rejects.toThrow(damaged);
  });
});
