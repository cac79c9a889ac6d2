/** Rows of comma- and tab-separated tables, as RFC 4180 has them. */

import { isBlank, type Line } from './lines.ts';
import { MAX_RECORD_BYTES } from './records.ts';

export interface TableRow {
  /** 1-based line at which the row starts. */
  readonly line: number;
  /** Undefined where the bytes are no text. */
  readonly cells: readonly string[] | undefined;
}

/** A row that the lines so far do not complete. */
interface OpenRow {
  readonly lines: Line[];
  /** The cells before the open one. */
  readonly cells: string[];
  /** The lines of the open cell, without its quote. */
  parts: string[];
  length: number;
}

/**
 * Puts rows together from lines. Cells in quotes may hold separators, ends of lines and, doubled, quotes. A quote at
 * the beginning of a cell that no quote before a separator closes is a letter like any other. Many tables are written
 * without quoting, and one quotation mark must not swallow the rows after it. Packages such as csv-parse cannot go back
 * for that. Blank lines are skipped. Memory is that of a row, and time linear.
 */
export class TableRows {
  #open: OpenRow | undefined;

  /** @param separator one character */
  constructor(private readonly separator: string) {}

  /** Rows that a line completes. */
  push(line: Line): TableRow[] {
    const rows: TableRow[] = [];
    this.#read([line], rows);
    return rows;
  }

  /** Rows that the end of the file completes. */
  end(): TableRow[] {
    const rows: TableRow[] = [];
    while (this.#open !== undefined) this.#read(this.#giveUp(this.#open, rows), rows);
    return rows;
  }

  #read(lines: readonly Line[], rows: TableRow[]): void {
    let left = lines;
    for (let i = 0; i < left.length; i++) {
      const line = left[i]!;
      if (this.#open === undefined) this.#begin(line, rows);
      else if (!this.#goOn(this.#open, line, rows)) {
        left = [...this.#giveUp(this.#open, rows), ...left.slice(i)];
        i = -1;
      }
    }
  }

  /** Takes the first line of the open row for a row without quoting. @returns the other lines, to be read anew */
  #giveUp({ lines: [first, ...others] }: OpenRow, rows: TableRow[]): Line[] {
    this.#open = undefined;
    rows.push({ line: first!.line, cells: first!.text!.split(this.separator) });
    return others;
  }

  #begin(line: Line, rows: TableRow[]): void {
    const { text } = line;
    if (text === undefined) rows.push({ line: line.line, cells: undefined });
    else if (!isBlank(text)) {
      const cells: string[] = [];
      const rest = this.#addCells(text, 0, cells);
      if (rest === undefined) rows.push({ line: line.line, cells });
      else this.#open = { lines: [line], cells, parts: [rest], length: text.length };
    }
  }

  /** Whether the line can continue the row. */
  #goOn(row: OpenRow, line: Line, rows: TableRow[]): boolean {
    const { text } = line;
    row.length += (text?.length ?? 0) + 1;
    if (text === undefined || row.length > MAX_RECORD_BYTES) return false;
    const end = closingQuote(text, 0, this.separator);
    if (end === INVALID) return false;
    row.lines.push(line);
    if (end === NONE) {
      row.parts.push(text);
      return true;
    }
    row.cells.push([...row.parts, text.slice(0, end)].join('\n').replaceAll('""', '"'));
    const rest = end + 1 < text.length ? this.#addCells(text, end + 2, row.cells) : undefined;
    if (rest === undefined) {
      rows.push({ line: row.lines[0]!.line, cells: row.cells });
      this.#open = undefined;
    } else row.parts = [rest];
    return true;
  }

  /** Adds the cells of a line from `start` on. @returns what the line has of a cell that it does not close */
  #addCells(text: string, start: number, cells: string[]): string | undefined {
    for (let at = start; ; ) {
      const end = text[at] === '"' ? closingQuote(text, at + 1, this.separator) : INVALID;
      if (end === NONE) return text.slice(at + 1);
      if (end !== INVALID) {
        cells.push(text.slice(at + 1, end).replaceAll('""', '"'));
        if (end + 1 === text.length) return undefined;
        at = end + 2;
        continue;
      }
      const next = text.indexOf(this.separator, at);
      cells.push(text.slice(at, next < 0 ? undefined : next));
      if (next < 0) return undefined;
      at = next + 1;
    }
  }
}

const NONE = -1;
const INVALID = -2;

/** Where a cell in quotes ends; {@link NONE} if the line has no such place, {@link INVALID} if a letter follows the quote. */
function closingQuote(text: string, start: number, separator: string): number {
  for (let at = start; ; ) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return NONE;
    const next = text[quote + 1];
    if (next === undefined || next === separator) return quote;
    if (next !== '"') return INVALID;
    at = quote + 2;
  }
}
