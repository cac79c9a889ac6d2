/** `performers/pretrained` in a browser: Transformers of Hugging Face, in and out, and their conversion to Performers. */

// Models of Hugging Face, in and out.
export { readHuggingFace, type Pretrained, type ReadOptions } from '../../pretrained/hugging-face/read.ts';
export { createPretrained, type CreateOptions } from '../../pretrained/hugging-face/create-pretrained.ts';
export { filesInMemory, type PretrainedFiles } from '../../storage/files.ts';
export { exportHuggingFace, type ExportedTokenizer, type ExportOptions } from '../../pretrained/hugging-face/export.ts';

// From exact attention to a Performer.
export { balanceAttention } from '../../pretrained/conversion/balance.ts';
export {
  conversionReport,
  conversionLadder,
  softmaxEstimators,
  type ConversionOptions,
  type SoftmaxEstimator,
} from '../../pretrained/conversion/report.ts';
export { compareModels, type RecoveryReport } from '../../pretrained/conversion/comparison.ts';
export type { FamilyName } from '../../pretrained/hugging-face/architectures/family.ts';
export type { SentencePooling } from '../../pretrained/hugging-face/sentence-pooling.ts';
export type {
  MeasuredBatch,
  ModelComparison,
  HeadError,
  LayerError,
  EstimatorReport,
  LayerAlone,
  ConversionReport,
} from '../../pretrained/conversion/types.ts';
