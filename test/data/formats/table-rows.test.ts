import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TableRows } from '../../../src/data/formats/table-rows.ts';

function rowsOf(text: string, separator: string) {
  const rows = new TableRows(separator);
  const lines = text.split(/\r?\n/);
  const found = lines.flatMap((line, i) => rows.push({ line: i + 1, text: line }));
  return [...found, ...rows.end()];
}

describe('TableRows', () => {
  test('gives back what was written', () => {
    for (const separator of [',', '\t']) {
      const cell = fc.string({ unit: fc.constantFrom('a', '"', separator, '\n', 'é', ' '), maxLength: 6 });
      const rows = fc.array(fc.array(cell, { minLength: 2, maxLength: 5 }));
      fc.assert(
        fc.property(rows, fc.constantFrom('\n', '\r\n'), fc.boolean(), (rows, newline, quotesAll) => {
          const quote = (text: string) =>
            quotesAll || /["\n]/.test(text) || text.includes(separator) ? `"${text.replaceAll('"', '""')}"` : text;
          const lines = rows.map((cells) => cells.map(quote).join(separator));
          let line = 1;
          const expected = rows.flatMap((cells, i) => {
            const row = { cells, line };
            line += lines[i]!.split('\n').length;
            // Rows of spaces alone are blank lines, at least with tabs.
            return lines[i]!.trim() === '' ? [] : [row];
          });
          expect(rowsOf(lines.join(newline) + newline, separator)).toEqual(expected);
        }),
      );
    }
  });

  test('a quote that is not closed before a separator is a letter', () => {
    const rows = rowsOf('"a\tb\n"c" d\te\n"\tf\n"g\th"\n"i\tj\nk"\tl\n"m\nn\to', '\t');
    expect(rows).toEqual([
      { line: 1, cells: ['"a', 'b'] },
      { line: 2, cells: ['"c" d', 'e'] },
      { line: 3, cells: ['"', 'f'] },
      { line: 4, cells: ['g\th'] },
      { line: 5, cells: ['i\tj\nk', 'l'] },
      { line: 7, cells: ['"m'] },
      { line: 8, cells: ['n', 'o'] },
    ]);
  });

  test('a line that is no text ends a row that is open', () => {
    const rows = new TableRows(',');
    expect(rows.push({ line: 1, text: '"a' })).toEqual([]);
    expect(rows.push({ line: 2, text: undefined })).toEqual([
      { line: 1, cells: ['"a'] },
      { line: 2, cells: undefined },
    ]);
    expect(rows.end()).toEqual([]);
  });

  test('a row that is open ends where a record is too long', () => {
    const rows = new TableRows(',');
    const long = 'x'.repeat(2 ** 20);
    let line = 1;
    let found = rows.push({ line, text: '"a' });
    while (found.length === 0 && line < 40) found = rows.push({ line: ++line, text: long });
    expect(found[0]).toEqual({ line: 1, cells: ['"a'] });
    expect([line, found.length]).toEqual([17, 17]);
  });

  test('many quotes that nothing closes take time in proportion', () => {
    for (const line of ['"a', '""a', '"a""', '"']) {
      const text = `${line}\n`.repeat(30_000);
      const rows = rowsOf(text, ',');
      expect(rows.length).toBeGreaterThan(14_000);
    }
  });
});
