/** `performers/data` in Node: as in a browser, and what needs files or the native kernels. */

export * from './browser/data.ts';

// Datasets in files or on the Hub.
export { openDataset, type Dataset, type OpenDatasetOptions } from '../data/dataset/open-dataset.ts';
export { datasetText } from '../data/dataset/dataset-text.ts';
export { tokenizeDataset, type TokenizeDatasetOptions } from '../data/tokens/tokenize-dataset.ts';
export type { TokenizedDataset } from '../data/tokens/token-file.ts';
export type { DatasetConfiguration, DatasetOptions } from '../data/dataset/configuration.ts';
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
