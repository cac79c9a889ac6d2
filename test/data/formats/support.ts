import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { BadRecords, type DataRecord } from '../../../src/data/formats/records.ts';

/** A folder that is removed after the tests of the file, and a function that writes files to it. */
export function temporaryFolder(): { folder: string; file: (name: string, data: string | Uint8Array) => string } {
  const folder = mkdtempSync(join(tmpdir(), 'formats-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  return {
    folder,
    file: (name, data) => {
      const path = join(folder, name);
      writeFileSync(path, data);
      return path;
    },
  };
}

/** All that a reader gives, and what it calls bad. */
export async function readAll<T = DataRecord>(
  read: (bad: BadRecords) => AsyncIterable<T>,
): Promise<{ records: T[]; bad: [line: number, reason: string][]; count: number }> {
  const bad = new BadRecords();
  const records: T[] = [];
  for await (const record of read(bad)) records.push(record);
  return { records, bad: bad.examples.map(({ line, reason }) => [line, reason]), count: bad.count };
}
