import { expect, test } from 'vitest';
import * as data from '../../../src/entries/data.ts';

const { readFasta, readJsonl, readLabelledTable, readParquet, readText, readUniProt, readWikipedia } = data;
const readers = { readFasta, readJsonl, readLabelledTable, readParquet, readText, readUniProt, readWikipedia };

test.each(Object.entries(readers))(
  '%s checks what it is called with at the first record, then ends',
  async (name, read) => {
    const bad = new data.BadRecords();
    const calls: [unknown[], string][] = [
      [[7, bad], `${name}: path is 7; give a string.`],
      [['x', []], `${name}: bad is`],
      [['x', bad, { nothing: 1 }], `Unknown key "nothing" in the options of ${name}`],
    ];
    for (const [args, message] of calls) {
      const records = (read as (...args: unknown[]) => AsyncGenerator<unknown>)(...args);
      await expect(records.next()).rejects.toThrow(message);
      expect(await records.next()).toEqual({ done: true, value: undefined });
    }
  },
);
