/** `performers/data` in a browser: from files to batches: readers, datasets, splits, tokens with their labels, and what a step sees. */

// Texts that are in memory, and batches of them.
export { fromTexts, type FromTextsOptions, type MarkedText } from '../../data/tokens/from-texts.ts';
export type { TokenEncoder, TokenSplit, TokenStore } from '../../data/tokens/token-store.ts';
export type { SplitConfiguration, SplitOptions } from '../../data/dataset/split.ts';
export type { DatasetDocument, PartName } from '../../data/dataset/documents.ts';
export {
  trainingWindows,
  evaluationWindows,
  type Batch,
  type EvaluationWindows,
  type TrainingWindows,
} from '../../data/batches/windows.ts';
export { trainingSequences, evaluationSequences, type SequenceOptions } from '../../data/batches/sequences.ts';
export {
  trainingExamples,
  evaluationExamples,
  type LabelledBatchOptions,
} from '../../data/batches/labelled-examples.ts';
export { Masking, maskedTraining, maskedEvaluation, type MaskingOptions } from '../../data/batches/masking.ts';
export { paddedSegments } from '../../attention/packing.ts';
export { imagePatches, type PatchSizes } from '../../model/layers/patch-embedding.ts';

// Datasets in files or on the Hub.
export { GroupSplit, type GroupSplitCounts, type GroupSplitOptions } from '../../data/dataset/group-split.ts';

// One reader a format.
export { BadRecords, type BadRecord, type DataRecord, type LabelledRecord } from '../../data/formats/records.ts';

// What text without a model reaches, and a task with known answers.
export { orderKModel, empiricalBaseline, type EmpiricalBaseline } from '../../data/baselines.ts';
export { listOpsExamples, listOpsTokenizer, type ListOpsExample, type ListOpsOptions } from '../../data/listops.ts';
export type { WikitextOptions } from '../../data/formats/wikitext/wikitext.ts';
