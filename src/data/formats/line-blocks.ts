import { Buffer } from 'node:buffer';
import { DataError } from '../../base/errors.ts';
import { readDecompressed } from '../files.ts';

const NEWLINE = 10;
const BYTE_ORDER_MARK = Buffer.from('\ufeff');

/**
 * The bytes of a file, decompressed, in blocks that end where a line ends; the last ends as the file does. A byte order
 * mark is dropped. A line is copied once at most, however long it is.
 *
 * @throws in one sentence, while reading, for a missing, empty or damaged file and for a directory
 */
export async function* lineBlocks(path: string): AsyncGenerator<Buffer> {
  let pending: Uint8Array[] = [];
  let isStart = true;
  for await (const block of blocks()) {
    const withoutMark = isStart && block.indexOf(BYTE_ORDER_MARK) === 0 ? block.subarray(3) : block;
    isStart = false;
    if (withoutMark.length > 0) yield withoutMark;
  }
  if (isStart) throw new DataError(`${path} is empty; give a file with records.`);

  async function* blocks(): AsyncGenerator<Buffer> {
    for await (const chunk of readDecompressed(path)) {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
      const end = bytes.lastIndexOf(NEWLINE) + 1;
      if (end > 0) {
        yield pending.length === 0 ? bytes.subarray(0, end) : Buffer.concat([...pending, bytes.subarray(0, end)]);
        pending = [];
      }
      if (end < bytes.length) pending.push(bytes.subarray(end));
    }
    if (pending.length > 0) yield Buffer.concat(pending);
  }
}
