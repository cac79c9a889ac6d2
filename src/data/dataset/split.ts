/** Which part of a dataset each of its documents belongs to, decided while they stream past. */

import { DataError } from '../../base/errors.ts';
import { Pauses, type Stoppable } from '../../base/event-loop.ts';
import { describe } from '../../base/options.ts';
import { parseConfiguration } from '../../base/parse-configuration.ts';
import { z } from '../../base/zod.ts';
import { type DatasetSplitter, documentSplitter, splitter } from './document-split.ts';
import type { DatasetDocument } from './documents.ts';
import { tailCuts, tailSplitters } from './tail-split.ts';

/** Share of the text, of the documents or of the groups that is held out by default. */
export const usualFraction = 0.1;

/** How a dataset is divided. */
export const splitSchema = z.lazy(() => {
  const between = (value: unknown) => `${describe(value)} is not a number between 0 and 1`;
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

export type SplitOptions = z.input<typeof splitSchema>;
export type SplitConfiguration = z.output<typeof splitSchema>;

export const parseSplit = (options: SplitOptions): SplitConfiguration =>
  parseConfiguration(splitSchema, options, 'the split');

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
      // Apart, so that a page that does not split by groups does not fetch it.
      return (await import('./group-split.ts')).groupSplitter(documents, split, pauses);
  }
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
