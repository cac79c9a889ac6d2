/**
 * One door to data as people have it on disk: what it is, where it is and how it is divided is a configuration value.
 */

import { resolve } from 'node:path';
import type { Stoppable } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, type OptionKind, option } from '../../base/options.ts';
import { BadRecords, type ReadingReport } from '../formats/records.ts';
import type { HubOptions } from '../source/hub.ts';
import { classNames } from './class-names.ts';
import {
  checkDatasetNames,
  type DatasetConfiguration,
  type DatasetOptions,
  parseDatasetOptions,
} from './configuration.ts';
import { chooseDataFiles, type DatasetFormat, findDataFiles, partOfPath } from './data-files.ts';
import type { DatasetDocument } from './documents.ts';
import { readDocuments } from './read-documents.ts';
import { parseSplit, type SplitConfiguration } from './split.ts';

/** Documents in files. */
export interface Dataset {
  readonly format: DatasetFormat;
  /** Absolute paths, sorted. */
  readonly files: readonly string[];
  /** The configuration with all defaults; of the hub, `data` has the commit that was taken. */
  readonly configuration: DatasetConfiguration;
  readonly split: SplitConfiguration;
  /** Names of the classes of documents, the first for class 0; undefined where only labels tell how many there are, and without classes. */
  readonly classes?: readonly string[] | undefined;
  /** The number of documents, where that is known without reading them. */
  readonly numDocuments: number | undefined;
  /**
   * Streams the documents in order, from the start at every call; memory does not grow with the files.
   *
   * @param report takes what cannot be used and what is left out. Default: neither is remembered
   */
  documents(report?: ReadingReport): AsyncGenerator<DatasetDocument>;
}

export interface OpenDatasetOptions extends Stoppable {
  /** How `hf://…` names are fetched. */
  readonly hub?: HubOptions | undefined;
}

/**
 * Finds the files of a dataset, and fetches those of the Hugging Face hub (see `fetchFromHub`). Where the split is left
 * out, it is as the files' names have it, if they name both training and held-out files. Otherwise the tail of a tenth
 * is held out for text files, and a tenth of the documents for all other formats.
 *
 * @throws ConfigurationError for options that do not fit
 * @throws DataError for a name that gives no file, and where a format cannot be told; and as `fetchFromHub` does
 */
export async function openDataset(given: DatasetOptions, options: OpenDatasetOptions = {}): Promise<Dataset> {
  checkArguments('openDataset', { dataset: given }, { dataset: option.object });
  checkOptions<OpenDatasetOptions>('openDataset', options, { signal: option.signal, hub: option.object });
  const { data: names, format: wanted } = checkDatasetNames(given);
  const { data, paths } = await fetchNames(names, wanted, { signal: options.signal, ...options.hub });
  options.signal?.throwIfAborted();
  const { format, files: found } =
    wanted === 'listops' && paths.length === 0 ? { format: wanted, files: [] } : await findDataFiles(paths, wanted);
  const files = found.map((file) => resolve(file));
  const configuration = parseDatasetOptions({ ...given, data, format });
  return {
    format,
    files,
    configuration,
    split: configuration.split ?? defaultSplit(configuration, files),
    classes: classNames(configuration, files),
    numDocuments: configuration.format === 'text' && configuration.documents === 'file' ? files.length : undefined,
    documents: (report = { bad: new BadRecords(), skipped: new Map() }) => readDocuments(configuration, files, report),
  };
}

/** Names with the commits of the hub's, and the paths that they stand for. */
async function fetchNames(names: readonly string[], format: DatasetFormat | undefined, options: HubOptions = {}) {
  const data: string[] = [];
  const paths: string[] = [];
  for (const name of names) {
    if (!name.startsWith('hf://')) {
      data.push(name);
      paths.push(name);
      continue;
    }
    // Loaded where a name needs it.
    const { fetchFromHub } = await import('../source/hub.ts');
    const choose = (found: readonly string[]) => (found.length === 1 ? found : chooseDataFiles(found, format));
    const snapshot = await fetchFromHub(name, { choose, ...options });
    data.push(snapshot.name);
    paths.push(...snapshot.files);
  }
  return { data, paths };
}

function defaultSplit(configuration: DatasetConfiguration, files: readonly string[]): SplitConfiguration {
  const { format } = configuration;
  if (format === 'listops' && files.length === 0) return { by: 'given' };
  if (format === 'text' && configuration.documents === 'file') return parseSplit({ by: 'tail' });
  const parts = new Set(files.map((file) => partOfPath(file, format)));
  if (parts.has('train') && (parts.has('heldOut') || parts.has('test'))) return { by: 'given' };
  return parseSplit({ by: 'document' });
}

export const datasetKind: OptionKind = option.having('a dataset, such as openDataset() gives', {
  files: option.strings,
  configuration: option.object,
  split: option.plain,
  documents: option.function,
});
