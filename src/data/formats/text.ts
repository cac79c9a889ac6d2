import { DataError } from '../../base/errors.ts';
import { option } from '../../base/options.ts';
import { openText } from '../source/files.ts';
import { isBlank, lineBatches, NOT_TEXT } from './lines.ts';
import { reader } from './reader.ts';
import { type BadRecords, type DataRecord, MAX_RECORD_BYTES } from './records.ts';

export interface TextOptions {
  /** What is a document: the file, a block of lines between blank lines, or every line that is not blank. Default file. */
  readonly documents?: 'file' | 'block' | 'line' | undefined;
}

/** Longest file that is one string, in UTF-16 units. */
const LONGEST = 2 ** 28;

/**
 * Documents of a UTF-8 text file, plain or compressed. A byte order mark is dropped and CRLF becomes LF. Lines of a block
 * are joined by LF; blank lines are no documents.
 *
 * Lines and blocks that are not UTF-8, have NUL bytes or more than 16 MiB are added to `bad`. A document is in memory as one string: see `openDataset` for
 * files larger than that.
 *
 * @throws DataError, while reading, for an empty or damaged file, and for a file that is one document and not UTF-8
 * @throws FileError for a missing file or a directory
 */
export const readText = reader<TextOptions>(
  'readText',
  { documents: option.oneOf('file', 'block', 'line') },
  async function* (path, bad, options) {
    const documents = options.documents ?? 'file';
    if (documents === 'file') {
      let text = '';
      for await (const chunk of lineFeeds(openText(path))) {
        text += chunk;
        if (text.length > LONGEST) {
          throw new DataError(
            `${path} has more than 256 Mi characters; read it in pieces with openText or openDataset.`,
          );
        }
      }
      yield { text, file: path, line: 1 };
    } else if (documents === 'line') {
      for await (const batch of lineBatches(path)) {
        for (const { text, line } of batch) {
          if (text === undefined) bad.add({ file: path, line, reason: NOT_TEXT });
          else if (!isBlank(text)) yield { text, file: path, line };
        }
      }
    } else {
      yield* blocks(path, bad);
    }
  },
);

async function* blocks(path: string, bad: BadRecords): AsyncGenerator<DataRecord> {
  let lines: string[] = [];
  let start = 1;
  let length = 0;
  let isBad = false;
  const finish = (): DataRecord | undefined => {
    const record = lines.length > 0 && !isBad ? { text: lines.join('\n'), file: path, line: start } : undefined;
    if (isBad) bad.add({ file: path, line: start, reason: NOT_TEXT });
    lines = [];
    length = 0;
    isBad = false;
    return record;
  };
  for await (const batch of lineBatches(path)) {
    for (const { text, line } of batch) {
      if (text !== undefined && isBlank(text)) {
        const record = finish();
        if (record) yield record;
        continue;
      }
      if (lines.length === 0 && !isBad) start = line;
      length += (text?.length ?? 0) + 1;
      if (text === undefined || length > MAX_RECORD_BYTES) isBad = true;
      if (isBad) lines = [];
      else lines.push(text!);
    }
  }
  const record = finish();
  if (record) yield record;
}

/** Text with LF where it had CRLF. Chunks may end anywhere, between CR and LF too. */
export async function* lineFeeds(chunks: Iterable<string> | AsyncIterable<string>): AsyncGenerator<string> {
  let held = '';
  for await (const chunk of chunks) {
    const text = held + chunk;
    const end = text.endsWith('\r') ? text.length - 1 : text.length;
    held = text.slice(end);
    const complete = text.slice(0, end);
    if (complete !== '') yield complete.includes('\r') ? complete.replaceAll('\r\n', '\n') : complete;
  }
  if (held !== '') yield held;
}
