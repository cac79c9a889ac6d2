import { tokenizerKind } from '../../tokenizers/tokenizer.ts';
/** Tokenised corpora in files, so that a text is tokenised once: see token-footer.ts for the layout. */

import type { Buffer } from 'node:buffer';
import { open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { DataError } from '../../base/errors.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import type { Tokenizer } from '../../tokenizers/tokenizer.ts';
import { BadRecords } from '../dataset/records.ts';
import {
  documentParts,
  type PartName,
  partNames,
  planSplit,
  type SplitRule,
  type TextDocument,
} from '../dataset/text-split.ts';
import { openText } from '../source/files.ts';
import {
  BYTES_PER_NUMBER,
  offsetsOf,
  readBytes,
  readFooter,
  type TokenFooter,
  unpackNumbers,
  verifyTokens,
} from './token-footer.ts';
import { checkRange, type TokenSplit, type TokenStore } from './token-store.ts';
import { type ReadingReport, TokenFileWriter } from './token-writer.ts';

export interface TokenFileOptions {
  /** Where the tokens are kept. */
  readonly file: string;
  readonly split: SplitRule;
  /** Called now and then with the number of tokens written. */
  readonly onProgress?: (tokens: number) => void;
  /** Stops the work: its reason is thrown, and an earlier file stays as it was. */
  readonly signal?: AbortSignal | undefined;
}

export interface TokenFileStore extends TokenStore, ReadingReport {
  /** Whether an earlier file could be used as it was. */
  readonly reused: boolean;
  /** SHA-256 of the training tokens: equal for equal data, wherever it lies. */
  readonly fingerprint: string;
}

/** Files as documents for `planSplit` and `splitText`. */
export function fileDocuments(paths: readonly string[]): TextDocument[] {
  checkArguments('fileDocuments', { paths }, { paths: option.strings });
  return paths.map((path) => ({ name: path, read: () => openText(path) }));
}

/**
 * Tokenises text files, one document each, into `options.file`, or uses that file if paths, sizes, modification times,
 * tokenizer and split are what they were. The file appears only once it is complete. For other formats and further parts
 * see `tokenizeDataset`.
 *
 * @throws as `openText` and `planSplit` do, and when the file cannot be written; an earlier file then stays as it was
 */
export async function tokenizeFiles(
  paths: readonly string[],
  tokenizer: Tokenizer,
  options: TokenFileOptions,
): Promise<TokenFileStore> {
  checkArguments(
    'tokenizeFiles',
    { paths, tokenizer, options },
    {
      paths: option.strings,
      tokenizer: tokenizerKind,
      options: option.having('options with a file and a split', { file: option.string, split: option.plain }),
    },
  );
  checkOptions<TokenFileOptions>('tokenizeFiles', options, {
    file: option.string,
    split: option.object,
    onProgress: option.function,
    signal: option.signal,
  });
  const { split } = options;
  const key = await keyOf(paths, tokenizer, { split });
  return openOrWrite(key, tokenizer, options, async (writer) => {
    const plan = await planSplit(fileDocuments(paths), split, { signal: options.signal });
    for (const part of ['train', 'heldOut'] as const) {
      for (const document of documentParts(plan, part)) await writer.add(part, document);
    }
    return { bad: new BadRecords(), skipped: new Map() };
  });
}

/** What the tokens of a file depend on: the files' paths, sizes and times, the tokenizer, and `settings`. */
export async function keyOf(paths: readonly string[], tokenizer: Tokenizer, settings: object): Promise<string> {
  const { createHash } = await import('node:crypto');
  const tokenizerHash = createHash('sha256').update(JSON.stringify(tokenizer.toJSON())).digest('hex');
  return JSON.stringify({ ...settings, tokenizer: tokenizerHash, inputs: await statesOf(paths) });
}

/** Absolute paths, sizes and times of files, which tell whether a file has changed. */
export function statesOf(paths: readonly string[]): Promise<unknown[]> {
  return Promise.all(
    paths.map(async (path) => {
      const entry = await stat(path).catch(() => undefined);
      return [resolve(path), entry?.size ?? null, entry?.mtimeMs ?? null];
    }),
  );
}

/** Opens a token file that has this key, or else has `write` fill a new one. */
export async function openOrWrite(
  key: string,
  tokenizer: Tokenizer,
  { file, onProgress, signal }: Pick<TokenFileOptions, 'file' | 'onProgress' | 'signal'>,
  write: (writer: TokenFileWriter) => Promise<ReadingReport>,
): Promise<TokenFileStore> {
  const earlier = await readFooter(file);
  if (earlier?.key === key) {
    await verifyTokens(file, earlier);
    return openTokens(file, earlier, tokenizer.vocabSize, true);
  }
  const writer = await TokenFileWriter.create(file, tokenizer, onProgress, signal);
  try {
    const footer = await writer.finish(key, await write(writer));
    return await openTokens(file, footer, tokenizer.vocabSize, false);
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

function unpack(buffer: Buffer, bytesPerToken: 1 | 2 | 4): Int32Array {
  if (bytesPerToken === 1) return Int32Array.from(buffer);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  const ids = new Int32Array(buffer.length / bytesPerToken);
  for (let i = 0; i < ids.length; i++) {
    ids[i] = bytesPerToken === 2 ? view.getUint16(2 * i, true) : view.getUint32(4 * i, true);
  }
  return ids;
}

async function openTokens(
  file: string,
  footer: TokenFooter,
  vocabSize: number,
  reused: boolean,
): Promise<TokenFileStore> {
  const handle = await open(file);
  const { bytesPerToken } = footer;
  const readPart = async (offset: number, length: number) => {
    const buffer = await readBytes(handle, offset, length);
    if (buffer === undefined) throw new DataError(`${file} has been cut short; delete it and tokenise again.`);
    return buffer;
  };
  const part = async (name: PartName): Promise<TokenSplit> => {
    const { numDocuments, hasLabels, ...counts } = footer.parts[name];
    const first = offsetsOf(footer, name);
    const numbers = async (offset: number) => unpackNumbers(await readPart(offset, BYTES_PER_NUMBER * numDocuments));
    return {
      ...counts,
      documents: await numbers(first.starts),
      ...(hasLabels && { labels: await numbers(first.labels) }),
      read: async (offset, length) => {
        checkRange(offset, length, counts.length);
        const ids = unpack(
          await readPart(first.tokens + offset * bytesPerToken, length * bytesPerToken),
          bytesPerToken,
        );
        const foreign = ids.find((id) => id >= vocabSize);
        if (foreign !== undefined) {
          throw new DataError(
            `${file} holds token ${foreign}, beyond the vocabulary of ${vocabSize}; delete the file.`,
          );
        }
        return ids;
      },
    };
  };
  try {
    const parts = await Promise.all(partNames.map(async (name) => [name, await part(name)]));
    return {
      ...(Object.fromEntries(parts) as Record<PartName, TokenSplit>),
      vocabSize,
      bad: BadRecords.of(footer.bad.count, footer.bad.examples),
      skipped: new Map(Object.entries(footer.skipped)),
      notes: footer.notes ?? [],
      close: () => handle.close(),
      reused,
      fingerprint: footer.fingerprint,
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
