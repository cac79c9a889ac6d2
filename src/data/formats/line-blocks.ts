import { Buffer } from 'node:buffer';
import { DataError } from '../../base/errors.ts';
import { readDecompressed } from '../files.ts';
import { MAX_RECORD_BYTES } from '../records.ts';

const NEWLINE = 10;
const BYTE_ORDER_MARK = Buffer.from('\ufeff');
/** Stands for a line that is too long: a line with a NUL byte, which no reader takes for text. */
const TOO_LONG = Buffer.from('\0\n');

/**
 * The bytes of a file, decompressed, in blocks that end where a line ends; the last ends as the file does. A byte order
 * mark is dropped. A line is copied once at most, however long it is. In place of a line of more than
 * {@link MAX_RECORD_BYTES} there is one with a NUL byte alone.
 *
 * @throws in one sentence, while reading, for a missing, empty or damaged file, a directory and what is known to be no text
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
