/**
 * Checks what the library hyparquet believes: it makes arrays of whatever length a footer or the head of a page states.
 * Both are structures in Thrift's compact protocol, which are read here first, without room for what is not there.
 */
import type { AsyncBuffer, FileMetaData } from 'hyparquet';
import { DataError } from '../../../base/errors.ts';

/** Rows of one group at most. Writers make groups of 2¹⁷ to 2²⁰. */
const MAX_GROUP_ROWS = 2 ** 23;
/** Values of one page at most; they are in memory together. */
const MAX_PAGE_VALUES = 2 ** 20;
/** Bytes that a page of any compression may have; beyond it, at most this many times its compressed bytes. */
const FREE_PAGE_BYTES = 2 ** 24;
const MAX_RATIO = 8;
/** Rows that are read together at most, and bytes of their pages unless one page has more. */
const MAX_WINDOW_ROWS = 2 ** 17;
const WINDOW_BYTES = 2 ** 21;
const MAX_DEPTH = 32;

/** By field number: numbers, and structures. Anything else is passed over. */
interface Structure {
  readonly [field: number]: number | Structure;
}

/** Reads one structure of the compact protocol. */
class StructureReader {
  offset = 0;

  constructor(private readonly bytes: Uint8Array) {}

  structure(depth = 0): Structure {
    if (depth > MAX_DEPTH) throw new DataError('its structures are nested too deeply');
    const fields: Record<number, number | Structure> = {};
    for (let id = 0; ; ) {
      const head = this.#byte();
      if (head === 0) return fields;
      id = head >> 4 ? id + (head >> 4) : this.#number();
      const value = this.#value(head & 15, depth);
      if (value !== undefined) fields[id] = value;
    }
  }

  #value(type: number, depth: number): number | Structure | undefined {
    switch (type) {
      case 1:
      case 2:
        return undefined;
      case 3:
        return this.#skip(1);
      case 4:
      case 5:
      case 6:
        return this.#number();
      case 7:
        return this.#skip(8);
      case 8:
        return this.#skip(this.#length());
      case 9:
        return this.#list(depth);
      case 12:
        return this.structure(depth + 1);
      default:
        throw new DataError(`a field has the type ${type}`);
    }
  }

  #list(depth: number): undefined {
    const head = this.#byte();
    const length = head >> 4 === 15 ? this.#length() : head >> 4;
    if (length > this.bytes.length - this.offset) throw new DataError('a list is longer than its file');
    // A truth value in a list has a byte, elsewhere no byte.
    const type = (head & 15) <= 2 ? 3 : head & 15;
    for (let left = length; left > 0; left--) this.#value(type, depth + 1);
  }

  #byte(): number {
    const byte = this.bytes[this.offset++];
    if (byte === undefined) throw new DataError('a structure has no end');
    return byte;
  }

  #skip(count: number): undefined {
    if (count > this.bytes.length - this.offset) throw new DataError('a text is longer than its file');
    this.offset += count;
  }

  /** A whole number without a sign. */
  #length(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#byte();
      if (factor > 2 ** 63) throw new DataError('a number has no end');
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  /** Zigzag: even numbers are twice a value, odd ones stand for the negative. */
  #number(): number {
    const value = this.#length();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

/** @throws what is wrong, where the footer is no structure that is all there */
export async function checkFooter(file: AsyncBuffer): Promise<void> {
  const tail = new Uint8Array(await file.slice(Math.max(0, file.byteLength - 8)));
  if (tail.length < 8) throw new DataError('it is shorter than a footer');
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
  if (length > file.byteLength - 8) throw new DataError('its footer is longer than the file');
  const start = file.byteLength - 8 - length;
  new StructureReader(new Uint8Array(await file.slice(start, start + length))).structure();
}

/** The data pages of a column, in order: rows, and bytes after decompression. */
type Pages = { rows: number; size: number }[];

/**
 * Reads the heads of the pages of one group's columns.
 *
 * @returns where in the group to stop, so that the pages between two stops take little memory; the last stop is the end
 * @throws what is wrong, where a page states more values than its column, or more bytes than it may have
 */
export async function planReads(
  file: AsyncBuffer,
  { columns, num_rows }: FileMetaData['row_groups'][number],
  names: readonly string[],
): Promise<number[]> {
  const flatColumns: Pages[] = [];
  checkCount('a group', Number(num_rows), MAX_GROUP_ROWS);
  for (const { meta_data: column } of columns) {
    if (!column || !names.includes(column.path_in_schema[0]!)) continue;
    const numValues = Number(column.num_values);
    checkCount('a column of a group', numValues, MAX_GROUP_ROWS);
    const start = Number(column.dictionary_page_offset || column.data_page_offset);
    const end = start + Number(column.total_compressed_size);
    if (!(start >= 0 && end >= start && end <= file.byteLength)) throw new DataError('a column is outside the file');
    const bytes = new Uint8Array(await file.slice(start, end));
    const isFlat = column.path_in_schema.length === 1;
    const pages: Pages = [];
    let total = 0;
    for (let at = 0; at < bytes.length; ) {
      const reader = new StructureReader(bytes.subarray(at));
      const { 2: size, 3: compressedSize, ...heads } = reader.structure() as Record<number, number>;
      const isStored = Number.isInteger(compressedSize) && compressedSize! >= 0;
      if (!isStored || at + reader.offset + compressedSize! > bytes.length) {
        throw new DataError('a page is longer than its column');
      }
      checkSize('a page', size!, compressedSize!);
      const [dictionary, ...data] = [heads[7], heads[5], heads[8]] as unknown as (Structure | undefined)[];
      // A dictionary may have entries that this group does not use; each takes a byte at least.
      if (dictionary) checkCount('a dictionary', Number(dictionary[1] ?? 0), size!);
      for (const head of data) {
        if (!head) continue;
        const rows = Number(head[1] ?? 0);
        checkCount('a page', rows, Math.min(numValues, MAX_PAGE_VALUES));
        pages.push({ rows, size: size! });
      }
      total += size!;
      at += reader.offset + compressedSize!;
    }
    if (isFlat) flatColumns.push(pages);
    // The library reads lists and structures whole.
    else checkSize('a column of lists or structures', total, bytes.length);
  }
  const stops: number[] = [];
  const numRows = Number(num_rows);
  for (let row = 0; row < numRows; row = stops.at(-1)!) {
    stops.push(Math.min(numRows, row + MAX_WINDOW_ROWS, ...flatColumns.map((pages) => lastRow(pages, row))));
  }
  return stops;
}

/** The end of the pages that are read together from the row `row` on: at least one page. */
function lastRow(pages: Pages, row: number): number {
  let end = 0;
  let size = 0;
  for (const page of pages) {
    const next = end + page.rows;
    if (next > row) {
      size += page.size;
      if (size > WINDOW_BYTES && end > row) return end;
    }
    end = next;
  }
  return end > row ? end : Number.POSITIVE_INFINITY;
}

function checkSize(what: string, size: number, compressedSize: number): void {
  if (size >= 0 && size <= Math.max(FREE_PAGE_BYTES, MAX_RATIO * compressedSize)) return;
  throw new DataError(
    `${what} of ${compressedSize} bytes states that it has ${size}; above ${FREE_PAGE_BYTES / 2 ** 20} MiB, ${MAX_RATIO} times as many are read: write smaller pages`,
  );
}

function checkCount(what: string, count: number, most: number): void {
  if (!(count >= 0 && count <= most)) throw new DataError(`${what} states ${count} values, more than ${most}`);
}
