import { Buffer, isUtf8 } from 'node:buffer';
import { DataError } from '../../base/errors.ts';
import { readDecompressed } from '../source/files.ts';
import { MAX_RECORD_BYTES } from './records.ts';

const NEWLINE = 10;

/** A line of a file without its end (LF or CRLF). */
export interface Line {
  /** 1-based. */
  readonly line: number;
  /** Undefined for what is no text: see {@link NOT_TEXT}. */
  readonly text: string | undefined;
}

/**
 * The lines of a file, decompressed, in batches. A byte order mark is dropped; an end of line at the end of the file
 * starts no further line.
 *
 * @throws FileError or DataError, while reading, for a missing, empty or damaged file and for a directory
 */
export async function* lineBatches(path: string): AsyncGenerator<Line[]> {
  let line = 1;
  for await (const block of lineBlocks(path)) {
    // One check and one conversion for a block: lines are slices of its text.
    const text = decode(block);
    const batch = text === undefined ? splitBytes(block, line) : splitText(text, line);
    line += batch.length;
    yield batch;
  }
}

function splitText(text: string, first: number): Line[] {
  const lines: Line[] = [];
  let start = 0;
  while (start < text.length) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    lines.push({ line: first + lines.length, text: withoutReturn(text.slice(start, end)) });
    start = end + 1;
  }
  return lines;
}

function splitBytes(block: Buffer, first: number): Line[] {
  const lines: Line[] = [];
  let start = 0;
  while (start < block.length) {
    const newline = block.indexOf(NEWLINE, start);
    const end = newline < 0 ? block.length : newline;
    const bytes = block.subarray(start, end);
    const text = decode(bytes);
    lines.push({ line: first + lines.length, text: text === undefined ? undefined : withoutReturn(text) });
    start = end + 1;
  }
  return lines;
}

const decode = (bytes: Buffer) => (isUtf8(bytes) && !bytes.includes(0) ? bytes.toString('utf8') : undefined);

const withoutReturn = (text: string) => (text.endsWith('\r') ? text.slice(0, -1) : text);

/** Why a {@link Line} has no text. */
export const NOT_TEXT = 'not UTF-8, with a NUL byte, or longer than 16 MiB';

/** Whether a line is white space alone; mostly its first character tells. */
export function isBlank(text: string): boolean {
  const first = text.charCodeAt(0);
  return !(first > 32 && first < 128) && text.trim() === '';
}

const BYTE_ORDER_MARK = Buffer.from('\ufeff');
/** Stands for a line that is too long: a line with a NUL byte, which no reader takes for text. */
const TOO_LONG = Buffer.from('\0\n');

/**
 * The bytes of a file, decompressed, in blocks that end where a line ends; the last ends as the file does. A byte order
 * mark is dropped. A line is copied once at most, however long it is. In place of a line of more than
 * {@link MAX_RECORD_BYTES} there is one with a NUL byte alone.
 *
 * @throws FileError or DataError, while reading, for a missing, empty or damaged file, a directory and what is known to be no text
 */
export async function* lineBlocks(path: string): AsyncGenerator<Buffer> {
  let isStart = true;
  for await (const block of wholeLines(path)) {
    const withoutMark = isStart && block.indexOf(BYTE_ORDER_MARK) === 0 ? block.subarray(3) : block;
    isStart = false;
    if (withoutMark.length > 0) yield withoutMark;
  }
  if (isStart) throw new DataError(`${path} is empty; give a file with records.`);
}

async function* wholeLines(path: string): AsyncGenerator<Buffer> {
  /** The beginning of a line; nothing once it is too long. */
  let pending: Buffer[] = [];
  let length = 0;
  const append = (bytes: Buffer) => {
    length += bytes.length;
    pending = length > MAX_RECORD_BYTES ? [] : [...pending, bytes];
  };
  for await (const chunk of readDecompressed(path)) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    const first = bytes.indexOf(NEWLINE);
    if (first < 0) {
      if (bytes.length > 0) append(bytes);
      continue;
    }
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (length + first > MAX_RECORD_BYTES) {
      yield TOO_LONG;
      if (first + 1 < end) yield bytes.subarray(first + 1, end);
    } else {
      yield pending.length === 0 ? bytes.subarray(0, end) : Buffer.concat([...pending, bytes.subarray(0, end)]);
    }
    pending = [];
    length = 0;
    if (end < bytes.length) append(bytes.subarray(end));
  }
  if (length > 0) yield length > MAX_RECORD_BYTES ? TOO_LONG : Buffer.concat(pending);
}
