import { tokenizerKind } from '../../tokenizers/tokenizer.ts';
/** One door to data as people have it on disk: what it is, where it lies and how it is divided is a configuration value. */

import { resolve } from 'node:path';
import { DataError } from '../../base/errors.ts';
import { Pauses, type Stoppable } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import { segments } from '../../tokenizers/text-segments.ts';
import type { Tokenizer } from '../../tokenizers/tokenizer.ts';
import type { HubOptions } from '../source/hub.ts';
import { keyOf, openOrWrite, statesOf, type TokenFileOptions, type TokenFileStore } from '../tokens/token-file.ts';
import type { ReadingReport } from '../tokens/token-writer.ts';
import { classNames } from './class-names.ts';
import {
  checkDatasetNames,
  type DatasetConfiguration,
  parseDatasetConfiguration,
  type ResolvedDatasetConfiguration,
} from './configuration.ts';
import { chooseDataFiles, type DatasetFormat, findDataFiles, partOfPath } from './data-files.ts';
import { readDocuments } from './readers.ts';
import { BadRecords } from './records.ts';
import { type DatasetDocument, type DatasetSplit, type DatasetSplitter, surveySplit } from './split.ts';
import type { PartName } from './text-split.ts';

/** Documents in files. */
export interface Dataset {
  readonly format: DatasetFormat;
  /** Absolute paths, sorted. */
  readonly files: readonly string[];
  /** The configuration with all defaults; of the hub, `data` has the commit that was taken. */
  readonly configuration: ResolvedDatasetConfiguration;
  readonly split: DatasetSplit;
  /** Names of the classes of documents, the first for class 0; undefined where only labels tell how many there are, and without classes. */
  readonly classes?: readonly string[] | undefined;
  /** How many documents there are, where that is known without reading them. */
  readonly numDocuments: number | undefined;
  /**
   * Streams the documents in order, from the start at every call; memory does not grow with the files.
   *
   * @param report takes what cannot be used and what is left out. Default: neither is remembered
   */
  documents(report?: ReadingReport): AsyncGenerator<DatasetDocument>;
}

export interface DatasetOptions extends Stoppable {
  /** How `hf://…` names are fetched. */
  readonly hub?: HubOptions | undefined;
}

/**
 * Finds the files of a dataset, and fetches those of the Hugging Face hub (see `fetchFromHub`). Where the split is left out, it is as the files' names have it, if they name both training
 * and held-out files; else the tail of a tenth for text files, and a tenth of the documents for all other formats.
 *
 * @throws in one sentence, for options that do not fit, for what gives no file, and where a format cannot be told; and as
 * `fetchFromHub` does
 */
export async function openDataset(configuration: DatasetConfiguration, options: DatasetOptions = {}): Promise<Dataset> {
  checkArguments('openDataset', { configuration }, { configuration: option.object });
  checkOptions<DatasetOptions>('openDataset', options, { signal: option.signal, hub: option.object });
  const { data: names, format: given } = checkDatasetNames(configuration);
  const { data, paths } = await fetchNames(names, given, { signal: options.signal, ...options.hub });
  options.signal?.throwIfAborted();
  const { format, files: found } =
    given === 'listops' && paths.length === 0 ? { format: given, files: [] } : await findDataFiles(paths, given);
  const files = found.map((file) => resolve(file));
  const resolved = parseDatasetConfiguration({ ...configuration, data, format });
  return {
    format,
    files,
    configuration: resolved,
    split: resolved.split ?? defaultSplit(resolved, files),
    classes: classNames(resolved, files),
    numDocuments: resolved.format === 'text' && resolved.documents === 'file' ? files.length : undefined,
    documents: (report = { bad: new BadRecords(), skipped: new Map() }) => readDocuments(resolved, files, report),
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

function defaultSplit(configuration: ResolvedDatasetConfiguration, files: readonly string[]): DatasetSplit {
  const { format } = configuration;
  if (format === 'listops' && files.length === 0) return { by: 'given' };
  if (format === 'text' && configuration.documents === 'file') return { by: 'tail', fraction: 0.1 };
  const parts = new Set(files.map((file) => partOfPath(file, format)));
  if (parts.has('train') && (parts.has('heldOut') || parts.has('test'))) return { by: 'given' };
  return { by: 'document', fraction: 0.1, seed: 0 };
}

/** What a dataset's split needed to know of the documents, and the files that it was read from. */
const surveys = new WeakMap<Dataset, { readonly files: string; readonly createSplitter: () => DatasetSplitter }>();

/** The splitter of a dataset, whose documents are surveyed once as long as the files stay as they are. */
async function splitterOf(dataset: Dataset, options: Stoppable): Promise<DatasetSplitter> {
  const files = JSON.stringify(await statesOf(dataset.files));
  const known = surveys.get(dataset);
  if (known?.files === files) return known.createSplitter();
  const createSplitter = await surveySplit(() => dataset.documents(), dataset.split, options);
  surveys.set(dataset, { files, createSplitter });
  return createSplitter();
}

/** The text of one part, such as a tokenizer is trained on, cut where no token crosses. */
export async function* datasetText(dataset: Dataset, part: PartName, options: Stoppable = {}): AsyncGenerator<string> {
  checkArguments(
    'datasetText',
    { dataset, part },
    {
      dataset: datasetKind,
      part: option.string,
    },
  );
  checkOptions<Stoppable>('datasetText', options, { signal: option.signal });
  const splitter = await splitterOf(dataset, options);
  const pauses = new Pauses(options.signal);
  for await (const document of dataset.documents()) {
    await pauses.next();
    for (const piece of splitter.divide(document)) {
      if (piece.part === part) yield* segments(piece.read());
    }
  }
}

export interface TokenizeDatasetOptions extends Omit<TokenFileOptions, 'split'> {}

/**
 * Tokenises a dataset into `options.file`, all parts in one pass with bounded memory (by tail, a pass before counts
 * characters), or uses that file if files, tokenizer, format and split are what they were. The file appears only once it is
 * complete. What reading left out is in the result, also where the file is used again.
 *
 * @throws as the readers and `createSplitter` do, where no record can be used, and when the file cannot be written; an
 * earlier file then stays as it was
 */
export async function tokenizeDataset(
  dataset: Dataset,
  tokenizer: Tokenizer,
  options: TokenizeDatasetOptions,
): Promise<TokenFileStore> {
  checkArguments(
    'tokenizeDataset',
    { dataset, tokenizer, options },
    {
      dataset: datasetKind,
      tokenizer: tokenizerKind,
      options: option.having('options with a file', { file: option.string }),
    },
  );
  checkOptions<TokenizeDatasetOptions>('tokenizeDataset', options, {
    file: option.string,
    onProgress: option.function,
    signal: option.signal,
  });
  const { split, files } = dataset;
  const { data: _, split: __, ...reading } = dataset.configuration;
  const hasLabels = dataset.classes !== undefined || dataset.format === 'labelled';
  // Files of earlier releases lack labels; data with labels is tokenised again.
  const key = await keyOf(files, tokenizer, { reading, split, ...(hasLabels && { labels: true }) });
  return openOrWrite(key, tokenizer, options, async (writer) => {
    const splitter = await splitterOf(dataset, options);
    const pauses = new Pauses(options.signal);
    const report = { bad: new BadRecords(), skipped: new Map<string, number>() };
    let numDocuments = 0;
    for await (const document of dataset.documents(report)) {
      numDocuments++;
      await pauses.next();
      for (const piece of splitter.divide(document)) await writer.add(piece.part, piece);
    }
    if (numDocuments === 0) {
      const why = report.bad.examples[0]?.reason ?? 'nothing is in them that is read';
      throw new DataError(
        `No record of ${describeFiles(files)} can be used (${why}); check the files and their format.`,
      );
    }
    splitter.check();
    return { ...report, notes: splitter.note === undefined ? [] : [splitter.note] };
  });
}

const describeFiles = (files: readonly string[]) =>
  files.length === 1 ? files[0]! : `${files.length} files (${files[0]}, …)`;

const datasetKind = option.having('a dataset, such as openDataset() gives', {
  files: option.strings,
  configuration: option.object,
  split: option.plain,
  documents: option.function,
});
