/** Which part of a dataset each of its documents belongs to, decided while they stream past. */

import { DataError } from '../../base/errors.ts';
import { Pauses, type Stoppable } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import { GROUP_SEPARATOR, GroupSplit, type GroupSplitRule, shareOfGroup } from './group-split.ts';
import {
  type DocumentPart,
  type Part,
  type PartName,
  partByDocument,
  readAfter,
  readBefore,
  type SplitRule,
  shareOf,
  type TextDocument,
  tailCuts,
  UNCUT,
} from './text-split.ts';

/** A document of a dataset. */
export interface DatasetDocument extends TextDocument {
  /** Name within the data, such as a title or an accession. */
  readonly id?: string | undefined;
  /** What it belongs to, such as a family or an organism. */
  readonly group?: string | undefined;
  /** The part that the data itself puts it in. */
  readonly part?: PartName | undefined;
  /** Its class, from 0, where the data has classes. */
  readonly label?: number | undefined;
}

export type DatasetSplit =
  | SplitRule
  /** As the data is divided: PG-19 by its folders, other files by words such as `train` and `validation` in their names. */
  | { readonly by: 'given' }
  /**
   * Whole groups, about `fraction` of them, become the part `outOfDistribution`: see `GroupSplit`. Of the other documents
   * about the fractions `heldOut` and `test` (default 0.1 and 0) become these parts, by a hash of seed and index.
   */
  | {
      readonly by: 'group';
      readonly fraction: number;
      readonly heldOut?: number;
      readonly test?: number;
      readonly seed?: number;
    };

/** What a document gives to a part. */
export interface DatasetPiece extends Pick<DocumentPart, 'read' | 'endsDocument'> {
  readonly part: PartName;
  readonly label?: number | undefined;
}

/** Decides on documents one after the other. */
export interface DatasetSplitter {
  /** What the next document, the first at first, gives to the parts. */
  divide(document: DatasetDocument): DatasetPiece[];
  /** @throws when all documents have been seen and a part that the rule makes is empty */
  check(): void;
  /** Where the data did not allow the rule: what was done instead, in one sentence. */
  readonly note?: string;
}

/**
 * Makes the splitter for a rule. By tail all documents are read once, to count their characters; by document they are
 * read until one is held out and one is not, so that both parts have something, as `planSplit` has it; by group likewise.
 * Where there is one group, or none, the split is by document, and `note` says so.
 *
 * @param documents the documents from the start, as often as it is called
 * @param options.signal stops the reading: its reason is thrown
 * @throws if a fraction is not in (0, 1), there are too few documents, or a part would be empty
 */
export async function createSplitter(
  documents: () => AsyncIterable<DatasetDocument>,
  rule: DatasetSplit,
  options: Stoppable = {},
): Promise<DatasetSplitter> {
  checkArguments('createSplitter', { documents, rule }, { documents: option.function, rule: option.plain });
  checkOptions<Stoppable>('createSplitter', options, { signal: option.signal });
  return (await surveySplit(documents, rule, options))();
}

/** Reads what a rule needs to know of the documents. @returns makes splitters for the same documents, from the first on */
export async function surveySplit(
  documents: () => AsyncIterable<DatasetDocument>,
  rule: DatasetSplit,
  options: Stoppable = {},
): Promise<() => DatasetSplitter> {
  checkRule(rule);
  const pauses = new Pauses(options.signal);
  switch (rule.by) {
    case 'none':
      return () => splitter(() => 'train');
    case 'given':
      return givenSplitter;
    case 'tail': {
      const cuts = await tailCuts(documents(), rule.fraction, pauses);
      return () => cutSplitter(cuts);
    }
    case 'document':
      return documentSplitter(documents, rule.fraction, rule.seed ?? 0, pauses);
    case 'group':
      return groupSplitter(documents, rule, pauses);
  }
}

/** @throws ConfigurationError unless `rule` has the keys of one of the rules */
function checkRule(rule: DatasetSplit): void {
  const fraction = { fraction: option.number };
  const keys = {
    none: {},
    given: {},
    tail: fraction,
    document: { ...fraction, seed: option.natural },
    group: { ...fraction, seed: option.natural, heldOut: option.number, test: option.number },
  };
  const by = option.oneOf(...Object.keys(keys));
  checkArguments('createSplitter', { 'rule.by': rule.by }, { 'rule.by': by });
  checkOptions('the split', rule, { by, ...keys[rule.by] });
}

const whole = (document: DatasetDocument, part: PartName): DatasetPiece => ({
  part,
  label: document.label,
  endsDocument: true,
  read: () => toAsync(document.read()),
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

/** Divides documents, the first at first, at these characters. */
function cutSplitter(cuts: readonly number[]): DatasetSplitter {
  let index = 0;
  return {
    divide: (document) => {
      const cut = cuts[index++] ?? 0;
      if (cut === UNCUT) return [whole(document, 'train')];
      if (cut === 0) return [whole(document, 'heldOut')];
      const { label } = document;
      return [
        { part: 'train', label, endsDocument: false, read: () => readBefore(document, cut) },
        { part: 'heldOut', label, endsDocument: true, read: () => readAfter(document, cut) },
      ];
    },
    check: () => {},
  };
}

async function documentSplitter(
  documents: () => AsyncIterable<DatasetDocument>,
  fraction: number,
  seed: number,
  pauses: Pauses,
): Promise<() => DatasetSplitter> {
  const partOf = await partByDocument(documents(), fraction, seed, pauses);
  return () => splitter((_, index) => partOf(index));
}

async function groupSplitter(
  documents: () => AsyncIterable<DatasetDocument>,
  rule: Extract<DatasetSplit, { by: 'group' }>,
  pauses: Pauses,
): Promise<() => DatasetSplitter> {
  const { fraction, heldOut = 0.1, test = 0, seed = 0 } = rule;
  if (!(heldOut >= 0 && test >= 0 && heldOut + test < 1)) {
    throw new DataError(
      `The fractions held out (${heldOut}) and for tests (${test}) must be 0 or more and sum to below 1.`,
    );
  }
  const { only, fixed, note } = await surveyGroups(documents, { by: 'group', fraction, seed }, pauses);
  if (only !== undefined) {
    const share = heldOut > 0 ? heldOut : fraction;
    const byDocument = await documentSplitter(documents, share, seed, pauses);
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
  rule: GroupSplitRule,
  pauses: Pauses,
): Promise<{ only?: string; fixed?: ReadonlyMap<string, Part>; note?: string }> {
  const split = new GroupSplit({ by: 'group', fraction: rule.fraction, seed: rule.seed });
  const seen = new Set<Part>();
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

async function* toAsync(chunks: Iterable<string> | AsyncIterable<string>): AsyncGenerator<string> {
  yield* chunks;
}
