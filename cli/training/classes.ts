import { basename, dirname } from 'node:path';
import type { Dataset, TokenStore } from '../../src/entries/data.ts';
import { ConfigurationError } from '../../src/entries/performers.ts';

/**
 * The names of the classes of a dataset's documents: a label of the store is an index into them. The data labels documents or, for text files that are
 * one document each, the name of the folder that a file is in.
 *
 * @throws ConfigurationError where the data has no classes, and when all documents have the same
 */
export function documentClasses(
  { classes, configuration, files }: Dataset,
  store: Pick<TokenStore, 'train' | 'heldOut'>,
): readonly string[] {
  const { format } = configuration;
  if (format === 'text' && configuration.documents === 'file') {
    if (classes === undefined) {
      throw new ConfigurationError(
        `All files are in a folder "${basename(dirname(files[0]!))}": for classification name files of several folders, one for each class.`,
      );
    }
  } else if (format !== 'labelled' && format !== 'listops') {
    throw new ConfigurationError(
      'Classification takes text files, one document each, in a folder for each class, or --format labelled or listops.',
    );
  }
  const { train, heldOut } = store;
  const count = [...(train.labels ?? []), ...(heldOut.labels ?? [])].reduce(
    (most, label) => Math.max(most, label + 1),
    0,
  );
  const names = classes ?? Array.from({ length: count }, (_, label) => `${label}`);
  if (names.length < 2) throw new ConfigurationError('All documents have class 0: give data of several classes.');
  return names;
}
