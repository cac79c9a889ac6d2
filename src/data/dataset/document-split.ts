/** Splits of whole documents, and the split by document: a document's part follows from its index and a seed. */

import { DataError } from '../../base/errors.ts';
import type { Pauses } from '../../base/event-loop.ts';
import { permute } from '../../base/random.ts';
import type { DatasetDocument, DocumentPiece, PartName } from './documents.ts';

/** Decides on documents one after the other. */
export interface DatasetSplitter {
  /**
   * What the next document, starting with the first, gives to the parts. A piece is read, or not, before the next is
   * taken.
   */
  divide(document: DatasetDocument): Iterable<DocumentPiece> | AsyncIterable<DocumentPiece>;
  /** @throws when all documents have been seen and a part that the rule makes is empty */
  check(): void;
  /** Where the data did not allow the rule: what was done instead, in one sentence. */
  readonly note?: string;
}

/** @throws ConfigurationError for a value that is no rule */
export const whole = (document: DatasetDocument, part: PartName): DocumentPiece => ({
  part,
  label: document.label,
  group: document.group,
  endsDocument: true,
  read: () => document.read(),
});

/** Puts whole documents into parts. */
export function splitter(
  partOf: (document: DatasetDocument, index: number) => PartName,
  check: () => void = () => {},
): DatasetSplitter {
  let index = 0;
  return { divide: (document) => [whole(document, partOf(document, index++))], check };
}

export async function documentSplitter(
  documents: () => AsyncIterable<DatasetDocument>,
  { fraction, seed }: { readonly fraction: number; readonly seed: number },
  pauses: Pauses,
): Promise<() => DatasetSplitter> {
  const partOf = await partByDocument(documents(), fraction, seed, pauses);
  return () => splitter((_, index) => partOf(index));
}

/** Uniform on [0, 1), from a document's index and the seed. */
export const shareOf = (document: number, seed: number) => permute(document, 2 ** 32, seed) / 2 ** 32;

/**
 * The part of a document by its index. About `fraction` of the documents are held out, by a hash of seed and index, so
 * that documents added later change nothing before. Documents are counted until one is held out and one is not. Where
 * chance gives a part no document, the part gets the nearest.
 *
 * @throws DataError if there is a single document
 */
async function partByDocument(
  documents: AsyncIterable<unknown>,
  fraction: number,
  seed: number,
  pauses: Pauses,
): Promise<(index: number) => 'train' | 'heldOut'> {
  let lowest = { index: -1, share: 2 };
  let highest = { index: -1, share: -1 };
  let count = 0;
  for await (const _ of documents) {
    await pauses.next();
    const index = count++;
    const share = shareOf(index, seed);
    if (share < lowest.share) lowest = { index, share };
    if (share > highest.share) highest = { index, share };
    if (lowest.share < fraction && highest.share >= fraction) break;
  }
  if (count === 1) {
    throw new DataError("A single document cannot be split by document; split it by 'tail', or give more documents.");
  }
  return (index) => {
    if (lowest.share >= fraction && index === lowest.index) return 'heldOut';
    if (highest.share < fraction && index === highest.index) return 'train';
    return shareOf(index, seed) < fraction ? 'heldOut' : 'train';
  };
}
