import { isUtf8 } from 'node:buffer';
import { lineBlocks } from './line-blocks.ts';

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
 * @throws in one sentence, while reading, for a missing, empty or damaged file and for a directory
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
