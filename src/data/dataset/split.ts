/** Which part of a dataset each of its documents belongs to, decided while they stream past. */

import { DataError } from '../../base/errors.ts';
import { Pauses, type Stoppable } from '../../base/event-loop.ts';
import { parseConfiguration } from '../../base/parse-configuration.ts';
import { permute } from '../../base/random.ts';
import { z } from '../../base/zod.ts';
import type { DatasetDocument, DocumentPiece, PartName } from './documents.ts';
import { GROUP_SEPARATOR, type GroupPart, GroupSplit, type GroupSplitOptions, shareOfGroup } from './group-split.ts';
import { cutPieces, tailCuts, UNCUT } from './tail-split.ts';

/** Share of the text, of the documents or of the groups that is held out by default. */
export const usualFraction = 0.1;

/** How a dataset is divided. */
export const splitConfiguration = z.lazy(() => {
  const between = (value: unknown) => `${value} is not a number between 0 and 1`;
  const share = z._default(
    z
      .number({ error: ({ input }) => between(input) })
      .check(z.refine((value) => value > 0 && value < 1, { error: ({ input }) => between(input) })),
    usualFraction,
  );
  const part = z.number().check(z.minimum(0), z.lt(1));
  const seed = z._default(z.int().check(z.minimum(0)), 0);
  return z.discriminatedUnion('by', [
    /** The last `fraction` of the characters of all documents taken together. */
    z.strictObject({ by: z.literal('tail'), fraction: share }),
    /** Whole documents, about `fraction` of them and at least one, by a hash of seed and index. */
    z.strictObject({ by: z.literal('document'), fraction: share, seed }),
    /** Everything is trained on. */
    z.strictObject({ by: z.literal('none') }),
    /** As the data is divided: PG-19 by its folders, other files by words such as `train` and `validation` in their names. */
    z.strictObject({ by: z.literal('given') }),
    /**
     * Whole groups, about `fraction` of them, become the part `outOfDistribution`: see `GroupSplit`. About the
     * fractions `heldOut` and `test` of the other documents become these parts, by a hash of seed and index.
     */
    z.strictObject({
      by: z.literal('group'),
      fraction: share,
      heldOut: z._default(part, usualFraction),
      test: z._default(part, 0),
      seed,
    }),
  ]);
});

export type SplitOptions = z.input<typeof splitConfiguration>;
export type SplitConfiguration = z.output<typeof splitConfiguration>;

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
export const parseSplit = (options: SplitOptions): SplitConfiguration =>
  parseConfiguration(splitConfiguration, options, 'the split');

/**
 * Reads what a rule needs to know of the documents. By tail all documents are read once, to count their characters. By
 * document they are read until one is held out and one is not, so that both parts have something; by group likewise.
 * Where the documents have one group or no group, the split is by document, and `note` says so.
 *
 * @param documents the documents from the start, as often as it is called
 * @returns makes splitters for the same documents, from the first on
 * @throws DataError for what is no rule, if there are too few documents, and if a part would be empty
 */
export async function surveySplit(
  documents: () => AsyncIterable<DatasetDocument>,
  options: SplitOptions,
  { signal }: Stoppable = {},
): Promise<() => DatasetSplitter> {
  const split = parseSplit(options);
  const pauses = new Pauses(signal);
  switch (split.by) {
    case 'none':
      return () => splitter(() => 'train');
    case 'given':
      return givenSplitter;
    case 'tail':
      return tailSplitters(await tailCuts(documents(), split.fraction, pauses));
    case 'document':
      return documentSplitter(documents, split, pauses);
    case 'group':
      return groupSplitter(documents, split, pauses);
  }
}

const whole = (document: DatasetDocument, part: PartName): DocumentPiece => ({
  part,
  label: document.label,
  group: document.group,
  endsDocument: true,
  read: () => document.read(),
});

function splitter(
  partOf: (document: DatasetDocument, index: number) => PartName,
  check: () => void = () => {},
): DatasetSplitter {
  let index = 0;
  return { divide: (document) => [whole(document, partOf(document, index++))], check };
}

function givenSplitter(): DatasetSplitter {
  let hasTraining = false;
  return splitter(
    ({ part = 'train' }) => {
      hasTraining ||= part === 'train';
      return part;
    },
    () => {
      if (!hasTraining)
        throw new DataError('By their names all files are held out; name files to train on, or split otherwise.');
    },
  );
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

async function documentSplitter(
  documents: () => AsyncIterable<DatasetDocument>,
  { fraction, seed }: { readonly fraction: number; readonly seed: number },
  pauses: Pauses,
): Promise<() => DatasetSplitter> {
  const partOf = await partByDocument(documents(), fraction, seed, pauses);
  return () => splitter((_, index) => partOf(index));
}

async function groupSplitter(
  documents: () => AsyncIterable<DatasetDocument>,
  { fraction, heldOut, test, seed }: Extract<SplitConfiguration, { by: 'group' }>,
  pauses: Pauses,
): Promise<() => DatasetSplitter> {
  if (heldOut + test >= 1) {
    throw new DataError(
      `The fractions held out (${heldOut}) and for tests (${test}) must be 0 or more and sum to below 1.`,
    );
  }
  const { only, fixed, note } = await surveyGroups(documents, { by: 'group', fraction, seed }, pauses);
  if (only !== undefined) {
    const share = heldOut > 0 ? heldOut : fraction;
    const byDocument = await documentSplitter(documents, { fraction: share, seed }, pauses);
    return () => ({ ...byDocument(), note: `${only}: ${share} of the documents are held out instead.` });
  }
  return () => {
    const groups = new GroupSplit({ by: 'group', fraction, seed }, fixed);
    const { divide, check } = splitter(
      (document, index) => {
        if (groups.partOf({ group: document.group }) === 'heldOut') return 'outOfDistribution';
        const share = shareOf(index, seed);
        return share < heldOut ? 'heldOut' : share < heldOut + test ? 'test' : 'train';
      },
      () => groups.check(),
    );
    return { divide, check, ...(note !== undefined && { note }) };
  };
}

/** Reads documents until some are held out by their groups and some are not. */
async function surveyGroups(
  documents: () => AsyncIterable<DatasetDocument>,
  rule: GroupSplitOptions,
  pauses: Pauses,
): Promise<{ only?: string; fixed?: ReadonlyMap<string, GroupPart>; note?: string }> {
  const split = new GroupSplit({ by: 'group', fraction: rule.fraction, seed: rule.seed });
  const seen = new Set<GroupPart>();
  let lowest = { group: '', share: 2 };
  let highest = { group: '', share: -1 };
  for await (const { group } of documents()) {
    await pauses.next();
    seen.add(split.partOf({ group }));
    if (seen.size === 2) return {};
    for (const name of group?.split(GROUP_SEPARATOR) ?? []) {
      const share = shareOfGroup(name, rule.seed);
      if (share < lowest.share) lowest = { group: name, share };
      if (share > highest.share) highest = { group: name, share };
    }
  }
  if (highest.share < 0) return { only: 'No document belongs to a group' };
  if (lowest.group === highest.group)
    return { only: `All documents with a group belong to ${JSON.stringify(lowest.group)}` };
  const [{ group }, part] = seen.has('train') ? [lowest, 'heldOut' as const] : [highest, 'train' as const];
  const what = part === 'heldOut' ? 'held out' : 'trained on';
  return {
    fixed: new Map([[group, part]]),
    note: `There are few groups, of which by chance none was ${what}: ${JSON.stringify(group)} is.`,
  };
}

/** Uniform on [0, 1), from a document's index and the seed. */
const shareOf = (document: number, seed: number) => permute(document, 2 ** 32, seed) / 2 ** 32;

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
