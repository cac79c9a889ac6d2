/** `performers/data` in a browser: from files to batches: readers, datasets, splits, tokens with their labels, and what a step sees. */

// Texts that are in memory, and batches of them.
export { fromTexts, type TokenSplit, type TokenStore } from '../../data/tokens/token-store.ts';
export { splitText, type PartName, type SplitRule } from '../../data/dataset/text-split.ts';
export {
  trainingWindows,
  evaluationWindows,
  type Batch,
  type EvaluationWindows,
  type TrainingWindows,
} from '../../data/batches/windows.ts';
export { trainingSequences, evaluationSequences, type SequenceOptions } from '../../data/batches/sequences.ts';
export {
  labelledTokens,
  trainingExamples,
  evaluationExamples,
  type LabelledBatchOptions,
  type LabelledRecord,
  type LabelledTokens,
} from '../../data/batches/labelled.ts';
export { Masking, maskedTraining, maskedEvaluation, type MaskingOptions } from '../../data/batches/masking.ts';
export { paddedSegments } from '../../attention/packing.ts';
export { imagePatches, type PatchSizes } from '../../model/layers/patch-embedding.ts';

// Datasets in files or on the Hub.
export { GroupSplit, type GroupSplitCounts, type GroupSplitRule } from '../../data/dataset/group-split.ts';

// One reader a format.
export { BadRecords, type BadRecord, type DataRecord } from '../../data/dataset/records.ts';

// What text without a model reaches, and a task with known answers.
export { orderKModel, empiricalBaseline, type EmpiricalBaseline } from '../../data/baselines.ts';
export { listOpsExamples, ListOpsTokenizer, type ListOpsExample, type ListOpsOptions } from '../../data/listops.ts';
export type { WikitextOptions } from '../../data/formats/wikitext/wikitext.ts';
