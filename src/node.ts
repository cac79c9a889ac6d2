/** The public API for Node: everything in index.ts, plus what needs the file system and the native addon. */
import { nodeHost } from './backend/native/node-host.ts';
import { type BackendOptions, createBackendOn } from './backend/select.ts';
import type { Backend } from './backend/types.ts';

export * from './index.ts';

/**
 * Creates a backend: native where the addon loads, else WebAssembly, which is then said once on standard error.
 * @throws if the backend asked for cannot be loaded.
 */
export function createBackend(options?: BackendOptions): Promise<Backend> {
  return createBackendOn(nodeHost, options);
}

export { explainWriteError } from './base/write-errors.ts';
export { brotliBitsPerCharacter } from './data/compression.ts';
export type { DatasetConfiguration } from './data/dataset/configuration.ts';
export { type DatasetFormat, datasetFormats } from './data/dataset/data-files.ts';
export {
  type Dataset,
  type DatasetOptions,
  datasetText,
  openDataset,
  type TokenizeDatasetOptions,
  tokenizeDataset,
} from './data/dataset/open.ts';
export { createSplitter, type DatasetDocument, type DatasetSplit } from './data/dataset/split.ts';
export { type FastaHeader, type FastaOptions, parseFastaHeader, readFasta } from './data/formats/fasta.ts';
export {
  type ImageOptions,
  type ImageRecord,
  imagePaths,
  readImageFiles,
  readNpzImages,
} from './data/formats/images/images.ts';
export { type FieldOptions, readJsonl } from './data/formats/jsonl.ts';
export {
  type LabelledFolderOptions,
  type LabelledTableOptions,
  labelledFolderClasses,
  readLabelledFolder,
  readLabelledTable,
} from './data/formats/labelled-text.ts';
export { readListOps } from './data/formats/listops.ts';
export { readParquet } from './data/formats/parquet/parquet.ts';
export { bookFiles, readPg19 } from './data/formats/pg19.ts';
export { readText, type TextOptions } from './data/formats/text.ts';
export { readUniProt, type UniProtOptions, type UniProtRecord } from './data/formats/uniprot.ts';
export { readWikipedia, type SkippedPage, type WikipediaOptions } from './data/formats/wikipedia.ts';
export { expandPaths, openText } from './data/source/files.ts';
export { fetchFromHub, type HubOptions, type HubSnapshot, isHubName } from './data/source/hub.ts';
export { fileDocuments, type TokenFileStore, tokenizeFiles } from './data/tokens/token-file.ts';
export { checkTokenizer } from './storage/check-tokenizer.ts';
export { directoryFiles } from './storage/directory-files.ts';
export { type LoadedModel, loadModel, loadTransformer, restoreModel } from './storage/load.ts';
export {
  findCheckpoint,
  isCheckpoint,
  loadModelFiles,
  type ModelFiles,
  parseJson,
  readNewest,
} from './storage/model-directory.ts';
export { checkEmpty, type SavedModelFiles, saveFiles, saveModel } from './storage/save.ts';
export { type Checkpoint, loadCheckpoint, type TrainingState } from './training/checkpoint.ts';
export { type DataFingerprint, dataFingerprint } from './training/data-fingerprint.ts';
export { type HeldOutData, type RunEvent, type RunOptions, train } from './training/run.ts';
export { lockRun, type RunLock } from './training/run-lock.ts';
export { loadTeacher, type Teacher } from './training/teacher.ts';
