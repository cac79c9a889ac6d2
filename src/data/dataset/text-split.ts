/**
 * Division of a corpus into training and held-out text. It is decided on the text, before any tokenizer sees it, so that
 * all tokenizers are measured on the same characters and no held-out character is trained on.
 */

import { ConfigurationError, DataError } from '../../base/errors.ts';
import { Pauses, type Stoppable } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, type OptionKind, option } from '../../base/options.ts';
import { permute } from '../../base/random.ts';

/** One document, read as often as needed; it need not fit in memory. */
export interface TextDocument {
  /** For messages; a path, for a file. */
  readonly name: string;
  /** The text in chunks that end between characters. */
  read(): Iterable<string> | AsyncIterable<string>;
}

/** The cut of a document that is all for training. */
export const UNCUT = Number.POSITIVE_INFINITY;

export type SplitRule =
  /** Whole documents, about `fraction` of them and at least one, by a hash of seed and index. Seed default 0. */
  | { readonly by: 'document'; readonly fraction: number; readonly seed?: number }
  /** The last `fraction` of the characters of all documents taken together. */
  | { readonly by: 'tail'; readonly fraction: number }
  /** Everything is trained on. */
  | { readonly by: 'none' };

export type Part = 'train' | 'heldOut';

/** Parts that a dataset may have, in the order in which a token file holds them. */
export const partNames = ['train', 'heldOut', 'test', 'outOfDistribution'] as const;
export type PartName = (typeof partNames)[number];

/** What a part holds of one document. */
export interface DocumentPart {
  /** Index of the document. */
  readonly document: number;
  /** Whether the document's own end is in it; false where the split cuts the document. */
  readonly endsDocument: boolean;
  read(): AsyncIterable<string>;
}

/** A rule applied to given documents: what each part holds. */
export interface SplitPlan {
  readonly documents: readonly TextDocument[];
  /** Of each document, where it is cut, in characters: what comes before is for training. 0 and Infinity: uncut. */
  readonly cuts: readonly number[];
}

/**
 * Decides the split. By tail this reads all documents once, to count their characters (Unicode code points).
 *
 * @throws if the fraction is not in (0, 1), there are no documents, or a part would be empty
 */
export async function planSplit(
  documents: readonly TextDocument[],
  rule: SplitRule,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<SplitPlan> {
  checkArguments('planSplit', { documents, rule }, { documents: documentsKind, rule: option.plain });
  checkSplitRule('planSplit', rule);
  checkOptions<Stoppable>('planSplit', options, { signal: option.signal });
  if (documents.length === 0) throw new DataError('There are no documents to split; give at least one.');
  if (rule.by === 'none') return { documents, cuts: documents.map(() => UNCUT) };
  const pauses = new Pauses(options.signal);
  if (rule.by === 'document') {
    const partOf = await partByDocument(documents, rule.fraction, rule.seed ?? 0, pauses);
    return { documents, cuts: documents.map((_, i) => (partOf(i) === 'heldOut' ? 0 : UNCUT)) };
  }
  return { documents, cuts: await tailCuts(documents, rule.fraction, pauses) };
}

/** @throws ConfigurationError unless `rule` has the keys of one of the rules */
export function checkSplitRule(where: string, rule: SplitRule): void {
  const fraction = { fraction: option.number };
  const keys = { none: {}, tail: fraction, document: { ...fraction, seed: option.natural } };
  const by = option.oneOf(...Object.keys(keys));
  checkArguments(where, { 'rule.by': rule.by }, { 'rule.by': by });
  checkOptions(`the split of ${where}`, rule, { by, ...keys[rule.by] });
}

export const documentsKind: OptionKind = option.listOf(
  option.having('a document with a name and a way to read it', { name: option.string, read: option.function }),
);

const planKind = option.having('what planSplit() gives', {
  documents: documentsKind,
  cuts: option.listOf(option.number),
});

/** @throws unless `fraction` is in (0, 1) */
function checkFraction(fraction: number): void {
  if (fraction > 0 && fraction < 1) return;
  throw new ConfigurationError(`The held-out fraction is ${fraction}; use a number between 0 and 1.`);
}

/** The documents, or what the split leaves of them, that make up a part. */
export function documentParts(plan: SplitPlan, part: Part): DocumentPart[] {
  checkArguments('documentParts', { plan, part }, { plan: planKind, part: option.oneOf('train', 'heldOut') });
  const { documents, cuts } = plan;
  return documents.flatMap((source, document): DocumentPart[] => {
    const cut = cuts[document]!;
    if (part === 'train') {
      return cut === 0 ? [] : [{ document, endsDocument: cut === UNCUT, read: () => readBefore(source, cut) }];
    }
    return cut === UNCUT ? [] : [{ document, endsDocument: true, read: () => readAfter(source, cut) }];
  });
}

/** The two parts of a corpus as strings, such as a compressor wants them; documents follow each other directly. */
export async function splitText(
  documents: readonly TextDocument[],
  rule: SplitRule,
  options: Stoppable = {},
): Promise<{ train: string; heldOut: string }> {
  checkArguments('splitText', { documents, rule }, { documents: option.array, rule: option.object });
  checkOptions<Stoppable>('splitText', options, { signal: option.signal });
  const plan = await planSplit(documents, rule, options);
  const pauses = new Pauses(options.signal);
  const gather = async (part: Part) => {
    let text = '';
    for (const document of documentParts(plan, part)) {
      for await (const chunk of document.read()) {
        text += chunk;
        await pauses.next();
      }
    }
    return text;
  };
  return { train: await gather('train'), heldOut: await gather('heldOut') };
}

/** Documents that are in memory. */
export function textDocuments(texts: readonly string[]): TextDocument[] {
  checkArguments('textDocuments', { texts }, { texts: option.strings });
  return texts.map((text, i) => ({ name: `document ${i}`, read: () => [text] }));
}

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

/** Uniform on [0, 1), from a document's index and the seed. */
export const shareOf = (document: number, seed: number) => permute(document, 2 ** 32, seed) / 2 ** 32;

/**
 * The part of a document by its index: about `fraction` of the documents are held out, by a hash of seed and index, so that
 * documents added later change nothing before. Documents are counted until one is held out and one is not; where chance
 * gives a part no document, it gets the one that is nearest.
 *
 * @throws if the fraction is not in (0, 1), or there is a single document
 */
export async function partByDocument(
  documents: Iterable<unknown> | AsyncIterable<unknown>,
  fraction: number,
  seed: number,
  pauses: Pauses,
): Promise<(index: number) => Part> {
  checkFraction(fraction);
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

/**
 * Where each document is cut so that the last `fraction` of all characters is held out. All documents are read once.
 *
 * @throws if the fraction is not in (0, 1), or a part would be empty
 */
export async function tailCuts(
  documents: Iterable<TextDocument> | AsyncIterable<TextDocument>,
  fraction: number,
  pauses: Pauses,
): Promise<number[]> {
  checkFraction(fraction);
  const lengths: number[] = [];
  for await (const document of documents) {
    let length = 0;
    for await (const chunk of document.read()) {
      await pauses.next();
      length += countCharacters(chunk);
    }
    lengths.push(length);
  }
  return tailCutsOf(lengths, fraction);
}

/** Where documents of these lengths, in characters, are cut. @throws if a part would be empty */
function tailCutsOf(lengths: readonly number[], fraction: number): number[] {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const numTrain = total - Math.round(fraction * total);
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

/** The first `cut` characters. */
export async function* readBefore(source: TextDocument, cut: number): AsyncGenerator<string> {
  let left = cut;
  for await (const text of source.read()) {
    const length = left === UNCUT ? 0 : countCharacters(text);
    if (length >= left) {
      yield text.slice(0, indexOfCharacter(text, left));
      return;
    }
    left -= length;
    yield text;
  }
}

/** All but the first `cut` characters. */
export async function* readAfter(source: TextDocument, cut: number): AsyncGenerator<string> {
  let skip = cut;
  for await (const text of source.read()) {
    if (skip === 0) {
      yield text;
      continue;
    }
    const length = countCharacters(text);
    if (length > skip) yield text.slice(indexOfCharacter(text, skip));
    skip = Math.max(0, skip - length);
  }
}
