/**
 * The split by tail: the last characters of all documents together are held out. The split is decided on the text,
 * before any tokenizer sees it. All tokenizers are therefore measured on the same characters, and no held-out character
 * is trained on.
 */

import { DataError } from '../../base/errors.ts';
import type { Pauses } from '../../base/event-loop.ts';
import { segments } from '../../tokenizers/text-segments.ts';
import { type DatasetSplitter, whole } from './document-split.ts';
import type { DatasetDocument, DocumentPiece } from './documents.ts';

/** The cut of a document that is all for training. */
const UNCUT = Number.POSITIVE_INFINITY;

/** Number of Unicode code points; a lone surrogate counts as one. */
export function countCharacters(text: string): number {
  let pairs = 0;
  for (let i = 1; i < text.length; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xdc00 && (text.charCodeAt(i - 1) & 0xfc00) === 0xd800) pairs++;
  }
  return text.length - pairs;
}

/** Index of the UTF-16 unit at which character `count` starts. */
export function indexOfCharacter(text: string, count: number): number {
  let index = 0;
  for (let n = 0; n < count && index < text.length; n++) index += text.codePointAt(index)! > 0xffff ? 2 : 1;
  return index;
}

/** Where each document is cut, in characters: what comes before is for training. All documents are read once. */
export async function tailCuts(
  documents: AsyncIterable<DatasetDocument>,
  fraction: number,
  pauses: Pauses,
): Promise<number[]> {
  const lengths: number[] = [];
  for await (const document of documents) {
    let length = 0;
    for await (const chunk of document.read()) {
      await pauses.next();
      length += countCharacters(chunk);
    }
    lengths.push(length);
  }
  return cutsOf(lengths, fraction);
}

/** Texts that wait their turn, the first in front. */
export interface TextQueue {
  push(text: string): Promise<void>;
  /** Undefined when nothing waits. */
  shift(): Promise<string | undefined>;
}

/**
 * The text of one part, cut where no token crosses, and the cuts, in one reading. After n characters, all but the last
 * `fraction` of them are for training, whatever follows. Text that is not certain yet waits in `queue`.
 *
 * @returns what `tailCuts` does
 */
export async function* tailText(
  documents: AsyncIterable<DatasetDocument>,
  fraction: number,
  part: 'train' | 'heldOut',
  queue: TextQueue,
  pauses: Pauses,
): AsyncGenerator<string, number[]> {
  const lengths: number[] = [];
  let total = 0;
  let taken = 0;
  let next: string | undefined;
  let characters = 0;
  const advance = async () => {
    taken += characters;
    next = await queue.shift();
    characters = next === undefined ? 0 : countCharacters(next);
  };
  for await (const document of documents) {
    const before = total;
    for await (const segment of segments(document.read())) {
      await pauses.next();
      total += countCharacters(segment);
      await queue.push(segment);
      if (next === undefined) await advance();
      for (; next !== undefined && taken + characters <= trainingCharacters(total, fraction); await advance()) {
        if (part === 'train') yield next;
      }
    }
    lengths.push(total - before);
  }
  const cuts = cutsOf(lengths, fraction);
  const numTrain = trainingCharacters(total, fraction);
  for (; next !== undefined; await advance()) {
    await pauses.next();
    const cut = indexOfCharacter(next, Math.max(0, numTrain - taken));
    const text: string = part === 'train' ? next.slice(0, cut) : next.slice(cut);
    if (text !== '') yield text;
  }
  return cuts;
}

const trainingCharacters = (total: number, fraction: number) => total - Math.round(fraction * total);

/** Where documents of these lengths, in characters, are cut. @throws DataError if a part would be empty */
function cutsOf(lengths: readonly number[], fraction: number): number[] {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const numTrain = trainingCharacters(total, fraction);
  if (numTrain === 0 || numTrain === total) {
    throw new DataError(`${total} characters are too few to hold out a fraction of ${fraction}; give more text.`);
  }
  let before = 0;
  return lengths.map((length) => {
    const cut = numTrain - before;
    before += length;
    return cut >= length ? UNCUT : Math.max(0, cut);
  });
}

/** Splitters that divide documents, the first at first, at these characters. */
export function tailSplitters(cuts: readonly number[]): () => DatasetSplitter {
  return () => {
    let index = 0;
    return {
      divide: (document) => {
        const cut = cuts[index++] ?? 0;
        return cut > 0 && cut < UNCUT ? cutPieces(document, cut) : [whole(document, cut === 0 ? 'heldOut' : 'train')];
      },
      check: () => {},
    };
  };
}

/** The two pieces of a document that is cut after `cut` characters, which share one reading. */
async function* cutPieces(document: DatasetDocument, cut: number): AsyncGenerator<DocumentPiece> {
  const { label, group } = document;
  const chunks = chunksOf(document);
  let left = cut;
  let rest = '';
  const before = async function* () {
    while (left > 0) {
      const { value, done } = await chunks.next();
      if (done) return;
      const end = indexOfCharacter(value, left);
      left -= end < value.length ? left : countCharacters(value);
      rest = value.slice(end);
      yield value.slice(0, end);
    }
  };
  const after = async function* () {
    // What was not read of the first piece is skipped.
    for await (const _ of before());
    yield rest;
    yield* chunks;
  };
  try {
    yield { part: 'train', label, group, endsDocument: false, read: before };
    yield { part: 'heldOut', label, group, endsDocument: true, read: after };
  } finally {
    await chunks.return(undefined);
  }
}

async function* chunksOf(document: DatasetDocument): AsyncGenerator<string> {
  yield* document.read();
}
