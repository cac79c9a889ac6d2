/** Tables of figures in the documentation are what the bench prints of a record, digit for digit. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatTime } from '../../bench/report.ts';
import { formatGrid, formatTable, type Grid, type TableCase } from '../../bench/tables.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

type BenchmarkRecord = {
  readonly command: string;
  readonly machine: string;
  readonly date: string;
} & ({ readonly cases: readonly TableCase[] } | Grid);

/** The tables of a page that name the record they are printed from, in a comment above them. */
function heldTables(page: string) {
  const tables = read(page).matchAll(/<!-- bench: (\S+) -->\n\n?((?:\|.*\n)+)/g);
  return [...tables].map(([, record, table]) => ({ page, record, table: table.trimEnd() }));
}

const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const held = pages.flatMap(heldTables);

describe('tables of figures in the documentation', () => {
  it.each(held)('$page: $record', ({ record, table }) => {
    const found = JSON.parse(read(`docs/benchmarks/${record}`)) as BenchmarkRecord;
    expect(table).toBe('cases' in found ? formatTable(found.cases) : formatGrid(found));
  });

  it('use every record, and each record says what measured it, where and when', () => {
    const records = readdirSync(join(root, 'docs/benchmarks'));
    expect(new Set(held.map(({ record }) => record))).toEqual(new Set(records));
    for (const record of records) {
      const { command, machine, date } = JSON.parse(read(`docs/benchmarks/${record}`)) as BenchmarkRecord;
      expect(command).toMatch(/^npm run bench -- /);
      expect(machine).toMatch(/Node v\d+/);
      expect(date).toMatch(/^\d{4}-\d{2}-\d{2}/);
    }
  });
});

describe('a printed time', () => {
  it.each([
    [0.0453, '45.3 µs'],
    [0.152, '152 µs'],
    [0.99949, '999 µs'],
    [0.9996, '1.00 ms'],
    [1.6, '1.60 ms'],
    [14, '14.0 ms'],
    [99.94, '99.9 ms'],
    [99.96, '100 ms'],
    [999.6, '1000 ms'],
    [2560, '2560 ms'],
    [1070.4, '1070 ms'],
    [123_456, '123456 ms'],
  ])('of %f ms is %s', (milliseconds, text) => {
    expect(formatTime(milliseconds)).toBe(text);
  });

  it('says the same time, to half a unit of its last digit', () => {
    for (let exponent = -4; exponent <= 5; exponent += 0.0137) {
      const milliseconds = 10 ** exponent;
      const [, digits, unit] = /^(\d+(?:\.\d+)?) (µs|ms)$/.exec(formatTime(milliseconds))!;
      const said = Number(digits) * (unit === 'µs' ? 1e-3 : 1);
      expect(Math.abs(said / milliseconds - 1)).toBeLessThanOrEqual(0.00501);
    }
  });
});

it('rows of a table name WebAssembly, and have the rate, the peak and the share beside the time', () => {
  const result = { label: 'one', milliseconds: 1230, gigaflopsPerSecond: 28.4, peak: 47.2, shareOfPeak: 0.596 };
  expect(formatTable([{ name: 'gemm', kind: 'wasm', results: [result] }]).split('\n')).toEqual([
    '| case | | median | GFLOP/s | peak | share |',
    '|---|---|--:|--:|--:|--:|',
    '| gemm, WASM | one | 1230 ms | 28 | 47 | 60 % |',
  ]);
});
