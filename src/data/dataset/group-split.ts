/**
 * Splits that hold out whole groups, such as protein families or organisms: data out of the distribution that is
 * trained on (paper, Section 4.3). A group's part depends on its name and the seed alone. So the part is the same in
 * every file and whatever else is read.
 */

import { ConfigurationError, DataError } from '../../base/errors.ts';
import type { Pauses } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import { Random, streams } from '../../base/random.ts';
import type { DataRecord } from '../formats/records.ts';
import { GROUP_SEPARATOR } from '../formats/records.ts';
import { type DatasetSplitter, documentSplitter, shareOf, splitter } from './document-split.ts';
import type { DatasetDocument } from './documents.ts';

type GroupPart = 'train' | 'heldOut';

export interface GroupSplitOptions {
  readonly by: 'group';
  /** About this share of the groups is held out; in (0, 1). */
  readonly fraction: number;
  /** Integer in [0, 2^53). Default 0. */
  readonly seed?: number | undefined;
}

/** The rule of a dataset: of what is in distribution about the shares `heldOut` and `test` become these parts. */
interface GroupShares extends Required<GroupSplitOptions> {
  readonly heldOut: number;
  readonly test: number;
}

/** What a split by group has seen so far. */
export interface GroupSplitCounts {
  /** Records of a part. */
  readonly records: Readonly<Record<GroupPart, number>>;
  /** Different groups of a part; a group whose records are held out for another of their groups counts as held out. */
  readonly groups: Readonly<Record<GroupPart, number>>;
  /** Records without a group, which are trained on. */
  readonly ungrouped: number;
}

/**
 * The part of one group, or of any other name, such as an accession for a random split of records.
 *
 * @throws ConfigurationError if the fraction is not in (0, 1) or the seed not an integer in [0, 2^53)
 */
export function partOfGroup(group: string, rule: GroupSplitOptions): GroupPart {
  checkArguments('partOfGroup', { group, rule }, { group: option.string, rule: option.plain });
  checkOptions<GroupSplitOptions>('the split by group', rule, {
    by: option.oneOf('group'),
    fraction: option.number,
    seed: option.natural,
  });
  const { fraction, seed = 0 } = rule;
  if (!(fraction > 0 && fraction < 1)) {
    throw new ConfigurationError(`The held-out fraction is ${fraction}; use a number between 0 and 1.`);
  }
  return shareOfGroup(group, seed) < fraction ? 'heldOut' : 'train';
}

/** Assigns records to parts, and counts what it assigned. */
export class GroupSplit {
  readonly #parts = new Map<string, GroupPart>();
  readonly #records = { train: 0, heldOut: 0 };
  #ungrouped = 0;

  /**
   * @param fixed parts of groups that the rule does not decide
   * @throws as {@link partOfGroup} does
   */
  constructor(
    readonly rule: GroupSplitOptions,
    private readonly fixed: ReadonlyMap<string, GroupPart> = new Map(),
  ) {
    partOfGroup('', rule);
  }

  /**
   * The part of a record: held out if any of its groups is, so that no record of a held-out group is trained on. A
   * record without a group is trained on.
   */
  partOf(record: Pick<DataRecord, 'group'>): GroupPart {
    checkArguments('GroupSplit.partOf', { record }, { record: option.object });
    checkArguments('GroupSplit.partOf', { group: record.group }, { group: option.optional(option.string) });
    let part: GroupPart = 'train';
    if (record.group === undefined) {
      this.#ungrouped++;
    } else {
      for (const group of record.group.split(GROUP_SEPARATOR)) {
        if (this.#partOfGroup(group) === 'heldOut') part = 'heldOut';
      }
    }
    this.#records[part]++;
    return part;
  }

  get counts(): GroupSplitCounts {
    const parts = [...this.#parts.values()];
    const heldOut = parts.filter((part) => part === 'heldOut').length;
    return {
      records: { ...this.#records },
      groups: { train: parts.length - heldOut, heldOut },
      ungrouped: this.#ungrouped,
    };
  }

  /** @throws DataError if one part has no record, once all have been seen */
  check(): void {
    const { records, groups, ungrouped } = this.counts;
    if (records.train > 0 && records.heldOut > 0) return;
    const total = groups.train + groups.heldOut;
    throw new DataError(
      `Of ${total} groups (and ${ungrouped} records without one) a fraction of ${this.rule.fraction} leaves nothing ` +
        `${records.heldOut === 0 ? 'held out' : 'to train on'}; give records of more groups, or another fraction or seed.`,
    );
  }

  #partOfGroup(group: string): GroupPart {
    let part = this.#parts.get(group);
    if (part === undefined) {
      part = this.fixed.get(group) ?? partOfGroup(group, this.rule);
      this.#parts.set(group, part);
    }
    return part;
  }
}

/** Uniform on [0, 1), by name and seed: below the fraction a group is held out. */
function shareOfGroup(name: string, seed = 0): number {
  const hash = fnv1a(name, 0x811c9dc5) + 2 ** 32 * (fnv1a(name, 0x050c5d1f) >>> 11);
  return new Random(seed, streams.heldOutGroups).fork(hash).uniform();
}

function fnv1a(name: string, basis: number): number {
  let state = basis;
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    state = Math.imul(state ^ (unit & 255), 0x01000193);
    state = Math.imul(state ^ (unit >> 8), 0x01000193);
  }
  return state >>> 0;
}

/**
 * The splitters of the rule; where the documents have one group or no group, they are split by document, and `note` says so.
 *
 * @throws DataError if the shares leave nothing to train on
 */
export async function groupSplitter(
  documents: () => AsyncIterable<DatasetDocument>,
  { fraction, heldOut, test, seed }: GroupShares,
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
