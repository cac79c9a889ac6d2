/** Tokens in a file, so that a text is tokenised once: see token-footer.ts for the layout. */

import { open } from 'node:fs/promises';
import { DataError } from '../../base/errors.ts';
import { type PartName, partNames } from '../dataset/documents.ts';
import { BadRecords, type ReadingReport } from '../formats/records.ts';
import { BYTES_PER_NUMBER, offsetsOf, readBytes, type TokenFooter, unpackNumbers } from './token-footer.ts';
import { checkRange, type TokenSplit, type TokenStore } from './token-store.ts';

/** The tokens of a dataset, and what reading it left out. */
export interface TokenizedDataset extends TokenStore, ReadingReport {
  /** Whether an earlier file could be used as it was. */
  readonly reused: boolean;
  /** SHA-256 of the training tokens: equal for equal data, wherever it is. */
  readonly fingerprint: string;
}

function unpack(buffer: Uint8Array, bytesPerToken: 1 | 2 | 4): Int32Array {
  if (bytesPerToken === 1) return Int32Array.from(buffer);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  const ids = new Int32Array(buffer.length / bytesPerToken);
  for (let i = 0; i < ids.length; i++) {
    ids[i] = bytesPerToken === 2 ? view.getUint16(2 * i, true) : view.getUint32(4 * i, true);
  }
  return ids;
}

/** @throws DataError where the file has been cut short meanwhile */
export async function openTokens(
  file: string,
  footer: TokenFooter,
  vocabSize: number,
  reused: boolean,
): Promise<TokenizedDataset> {
  const handle = await open(file);
  const { bytesPerToken, groupNames = [] } = footer;
  const readPart = async (offset: number, length: number) => {
    const buffer = await readBytes(handle, offset, length);
    if (buffer === undefined) throw new DataError(`${file} has been cut short; delete it and tokenise again.`);
    return buffer;
  };
  const part = async (name: PartName): Promise<TokenSplit> => {
    const { numDocuments, hasLabels, hasGroups, ...counts } = footer.parts[name];
    const first = offsetsOf(footer, name);
    const numbers = async (offset: number) => unpackNumbers(await readPart(offset, BYTES_PER_NUMBER * numDocuments));
    return {
      ...counts,
      documents: await numbers(first.starts),
      ...(hasLabels && { labels: await numbers(first.labels) }),
      ...(hasGroups && { groups: (await numbers(first.groups)).map((index) => groupNames[index]) }),
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
