import { basename, dirname } from 'node:path';
import { createSplitter, type Dataset, type PartName } from '../../src/entries/data.ts';
import { ConfigurationError } from '../../src/entries/performers.ts';

/** Classes of documents. */
export interface Classes {
  /** A class is an index into them. */
  readonly names: readonly string[];
  /** The class of every document of each part. */
  readonly train: readonly number[];
  readonly heldOut: readonly number[];
}

/**
 * The classes of a dataset's documents: as the data labels them or, of text files that are one document each, by the name
 * of the folder that a file lies in, sorted.
 *
 * @throws one sentence where the data has no classes, and when all documents have the same
 */
export async function documentClasses(dataset: Dataset): Promise<Classes> {
  const labelOf = labelling(dataset);
  const splitter = await createSplitter(() => dataset.documents(), dataset.split);
  const parts: Partial<Record<PartName, number[]>> = {};
  for await (const document of dataset.documents()) {
    const label = labelOf.label(document);
    for (const { part } of splitter.divide(document)) {
      parts[part] ??= [];
      parts[part].push(label);
    }
  }
  const { train = [], heldOut = [] } = parts;
  const names = labelOf.names(train.concat(heldOut));
  if (names.length < 2) throw new ConfigurationError('All documents have class 0: give data of several classes.');
  return { names, train, heldOut };
}

interface Labelling {
  label(document: { readonly name: string; readonly label?: number | undefined }): number;
  names(labels: readonly number[]): readonly string[];
}

function labelling({ configuration, files }: Dataset): Labelling {
  const { format } = configuration;
  if (format === 'text' && configuration.documents === 'file') {
    const folder = (file: string) => basename(dirname(file));
    const folders = [...new Set(files.map(folder))].sort();
    if (folders.length < 2) {
      throw new ConfigurationError(
        `All files lie in a folder "${folders[0]}": for classification name files of several folders, one for each class.`,
      );
    }
    return { label: ({ name }) => folders.indexOf(folder(name)), names: () => folders };
  }
  if (format !== 'labelled' && format !== 'listops') {
    throw new ConfigurationError(
      'Classification takes text files, one document each, in a folder for each class, or --format labelled or listops.',
    );
  }
  const given = format === 'labelled' ? configuration.classes : Array.from({ length: 10 }, (_, value) => `${value}`);
  const counted = (labels: readonly number[]) => labels.reduce((most, label) => Math.max(most, label + 1), 0);
  return {
    label: ({ label = 0 }) => label,
    names: (labels) => given ?? Array.from({ length: counted(labels) }, (_, label) => `${label}`),
  };
}
