/** `performers/data` in Node: as in a browser, and what needs files or the native kernels. */

export * from './browser/data.ts';

// Datasets in files or on the Hub.
export {
  openDataset,
  tokenizeDataset,
  datasetText,
  type Dataset,
  type DatasetOptions,
  type TokenizeDatasetOptions,
} from '../data/dataset/open.ts';
export { createSplitter, type DatasetDocument, type DatasetSplit } from '../data/dataset/split.ts';
export { datasetFormats, type DatasetFormat } from '../data/dataset/data-files.ts';
export { fetchFromHub, isHubName, type HubOptions, type HubSnapshot } from '../data/source/hub.ts';

// One reader a format.
export { readText, type TextOptions } from '../data/formats/text.ts';
export { readJsonl, type FieldOptions } from '../data/formats/jsonl.ts';
export { readParquet } from '../data/formats/parquet/parquet.ts';
export {
  readLabelledTable,
  readLabelledFolder,
  type LabelledFolderOptions,
  type LabelledTableOptions,
} from '../data/formats/labelled-text.ts';
export { readFasta, type FastaHeader, type FastaOptions } from '../data/formats/fasta.ts';
export { readUniProt, type UniProtOptions, type UniProtRecord } from '../data/formats/uniprot.ts';
export { readPg19 } from '../data/formats/pg19.ts';
export { readWikipedia, type SkippedPage, type WikipediaOptions } from '../data/formats/wikipedia.ts';
export { readListOps } from '../data/formats/listops.ts';
export { readImageFiles, readNpzImages, type ImageOptions, type ImageRecord } from '../data/formats/images/images.ts';
export { openText, expandPaths } from '../data/source/files.ts';

// What text without a model reaches, and a task with known answers.
export type { DatasetConfiguration } from '../data/dataset/configuration.ts';
export type { TokenFileStore } from '../data/tokens/token-file.ts';
