/** The public API for browsers: reaches no Node module (a test walks its imports). */

import { type BackendOptions, createBackendOn } from './backend/select.ts';
import type { Backend } from './backend/types.ts';
import { browserHost } from './backend/wasm/browser-host.ts';

export { dividedRows, exponentialEstimator, snapshotsLength } from './backend/estimator.ts';
export type { BackendOptions } from './backend/select.ts';
export * from './backend/types.ts';
export * from './base/errors.ts';
export { pause, type Stoppable } from './base/event-loop.ts';
export { parseConfiguration } from './base/parse.ts';

/**
 * Creates a backend: WebAssembly, with threads where the page is cross-origin isolated.
 * @throws if the kernels cannot be fetched, or the engine lacks WebAssembly SIMD.
 */
export function createBackend(options?: BackendOptions): Promise<Backend> {
  return createBackendOn(browserHost, options);
}

export { createAttention } from './attention/attention.ts';
export { type AttentionConfiguration, attentionConfiguration } from './attention/configuration.ts';
export { crossoverLength } from './attention/crossover.ts';
export { FavorState } from './attention/decoding/favor-state.ts';
export { KeyValueCache } from './attention/decoding/key-value-cache.ts';
export {
  parseSavedState,
  type SavedState,
  type SavedStateJson,
  savedStateToJson,
} from './attention/decoding/saved-state.ts';
export { exactAttention } from './attention/exact.ts';
export { drawFeatures, FavorAttention, type FeatureOptions, favorAttention } from './attention/favor.ts';
export {
  type FeatureError,
  type FeatureSearch,
  type FeatureSearchOptions,
  smallestNumFeatures,
} from './attention/inspect/num-features.ts';
export type { MeasureOptions } from './attention/inspect/output-error.ts';
export type * from './attention/inspect/report.ts';
export { approximationReport, formatReport, type ReportOptions } from './attention/inspect/report.ts';
export {
  type AttentionRows,
  attentionRows,
  type InspectOptions,
  topKeys,
  type WeightedKey,
} from './attention/inspect/rows.ts';
export { LinformerAttention, type LinformerProjections, linformerAttention } from './attention/linformer.ts';
export { LshAttention, lshAttention } from './attention/lsh.ts';
export { paddedSegments } from './attention/packing.ts';
export type * from './attention/types.ts';
export type { Segments } from './attention/types.ts';
export { Random, streams } from './base/random.ts';
export { type EmpiricalBaseline, empiricalBaseline, orderKModel, targetCounts } from './data/baselines.ts';
export {
  evaluationExamples,
  type LabelledBatchOptions,
  type LabelledRecord,
  type LabelledTokens,
  labelledTokens,
  trainingExamples,
} from './data/batches/labelled.ts';
export { Masking, type MaskingOptions, maskedEvaluation, maskedTraining } from './data/batches/masking.ts';
export { evaluationSequences, type SequenceOptions, trainingSequences } from './data/batches/sequences.ts';
export {
  type Batch,
  type EvaluationWindows,
  evaluationWindows,
  type TrainingWindows,
  trainingWindows,
} from './data/batches/windows.ts';
export { GroupSplit, type GroupSplitCounts, type GroupSplitRule, partOfGroup } from './data/dataset/group-split.ts';
export { type BadRecord, BadRecords, type DataRecord } from './data/dataset/records.ts';
export {
  documentParts,
  type PartName,
  planSplit,
  type SplitRule,
  splitText,
  textDocuments,
} from './data/dataset/text-split.ts';
export { stripGutenberg } from './data/formats/gutenberg.ts';
export { type WikitextOptions, wikitextToText } from './data/formats/wikitext/wikitext.ts';
export {
  evaluateListOps,
  LISTOPS_SYMBOLS,
  type ListOpsExample,
  type ListOpsOptions,
  ListOpsTokenizer,
  listOpsExample,
  listOpsExamples,
  listOpsLetters,
  listOpsText,
  parseListOps,
} from './data/listops.ts';
export { fromTexts, type TokenSplit, type TokenStore } from './data/tokens/token-store.ts';
export * from './features/closed-forms.ts';
export { activations, featureConfiguration } from './features/configuration.ts';
export { measureP, optimalA } from './features/maps/favor-plus-plus.ts';
export { drawProjection, type ProjectionKind, projectionKinds } from './features/projection.ts';
export type { NormKind, Projection } from './features/projections/projection.ts';
export {
  type TransformerConfiguration,
  type TransformerOptions,
  transformerConfiguration,
  transformerPresets,
} from './model/configuration.ts';
export { EncoderDecoder, type EncoderDecoderPass, translationLoss } from './model/encoder-decoder.ts';
export {
  type EncoderDecoderConfiguration,
  type EncoderDecoderOptions,
  encoderDecoderConfiguration,
} from './model/encoder-decoder-configuration.ts';
export { Decoder, type GenerateOptions, generate, streamText } from './model/generate.ts';
export { Dropout } from './model/layers/dropout.ts';
export type { EmbeddingOptions } from './model/layers/embedding.ts';
export type { AttentionHeads, AttentionObserver, AttentionPass } from './model/layers/multi-head-attention.ts';
export { imagePatches, type PatchSizes } from './model/layers/patch-embedding.ts';
export { classificationLoss, languageModelLoss } from './model/losses.ts';
export { type SamplingOptions, sampleToken } from './model/sampling.ts';
export { type AttentionChoice, type ForwardOptions, Transformer } from './model/transformer.ts';
export { type TranslateOptions, translate } from './model/translate.ts';
export { onnxCompanions } from './onnx/companion-files.ts';
export {
  exportOnnx,
  type OnnxExport,
  type OnnxExportOptions,
  type OnnxGraphKind,
  onnxChoices,
  onnxGraphKinds,
} from './onnx/export.ts';
export { encodeOnnx, type OnnxGraph, type OnnxNode, type OnnxTensor } from './onnx/model-file.ts';
export { type SequenceOutput, sequenceOutputs } from './onnx/sequence-graph.ts';
export type { StateTensor } from './onnx/step-graph.ts';
export { balanceAttention } from './pretrained/conversion/balance.ts';
export { compareModels, type RecoveryReport } from './pretrained/conversion/comparison.ts';
export {
  type ConversionOptions,
  conversionLadder,
  conversionReport,
  type SoftmaxEstimator,
  softmaxEstimators,
} from './pretrained/conversion/report.ts';
export type * from './pretrained/conversion/types.ts';
export type { FamilyName } from './pretrained/hugging-face/architectures/family.ts';
export { type CreateOptions, createPretrained } from './pretrained/hugging-face/create-pretrained.ts';
export {
  type ExportedTokenizer,
  type ExportOptions,
  exportHuggingFace,
  tokenizerFiles,
} from './pretrained/hugging-face/export.ts';
export { type Pretrained, type ReadOptions, readHuggingFace } from './pretrained/hugging-face/read.ts';
export type { SentencePooling } from './pretrained/hugging-face/sentence-pooling.ts';
export {
  COMPANIONS as companionsFile,
  type Companions,
  classLabels,
  classNames,
  keptConfig,
  parseCompanions,
  unchangedCompanions,
} from './storage/companions.ts';
export { filesInMemory, type PretrainedFiles } from './storage/files.ts';
export { decodeSafetensors, encodeSafetensors, type TensorEntry } from './storage/safetensors.ts';
export { loadWeights, readWeights } from './storage/weights.ts';
export { activation, add } from './tensor/ops/elementwise.ts';
export { embedding } from './tensor/ops/embedding.ts';
export { layerNorm } from './tensor/ops/layer-norm.ts';
export { linear } from './tensor/ops/linear.ts';
export { reshape } from './tensor/ops/reshape.ts';
export { weightedSum } from './tensor/ops/weighted-sum.ts';
export { keep, scope } from './tensor/scope.ts';
export { valueAndGradients } from './tensor/tape.ts';
export { Tensor, tensor } from './tensor/tensor.ts';
export type { SpecialTokenOptions } from './tokenizers/added-tokens.ts';
export { BpeTokenizer } from './tokenizers/bpe.ts';
export { ByteTokenizer } from './tokenizers/bytes.ts';
export { CharacterTokenizer } from './tokenizers/characters.ts';
export { type ForeignTokenizer, loadForeignTokenizer } from './tokenizers/foreign.ts';
export { loadTokenizer } from './tokenizers/load.ts';
export { loadAnyTokenizer } from './tokenizers/load-any.ts';
export { PixelTokenizer, pixelText } from './tokenizers/pixels.ts';
export { ProteinTokenizer } from './tokenizers/proteins.ts';
export { segments, segmentsOf } from './tokenizers/text-segments.ts';
export type {
  EncodeOptions,
  ForeignTokenizerJson,
  SpecialRole,
  SpecialTokens,
  Tokenizer,
  TokenizerJson,
  TokenStream,
} from './tokenizers/tokenizer.ts';
export { type TrainBpeOptions, trainBpe } from './tokenizers/training/bpe.ts';
export { type TrainCharactersOptions, trainCharacters } from './tokenizers/training/characters.ts';
export { type TrainUnigramOptions, trainUnigram } from './tokenizers/training/unigram.ts';
export { UnigramTokenizer } from './tokenizers/unigram.ts';
export { batchOptions } from './training/batch.ts';
export {
  type DistillationConfiguration,
  type Objective,
  parseTrainingConfiguration,
  type TrainingConfiguration,
  type TrainingConfigurationInput,
  trainingSchema,
} from './training/configuration.ts';
export { checkTeacher, Distillation } from './training/distillation.ts';
export { type Evaluation, evaluate, type LossFunction } from './training/evaluate.ts';
export type { TeacherErrors } from './training/loss-totals.ts';
export {
  checkObjective,
  heldOutBatches,
  objectiveLoss,
  trainingBatches,
  type Vocabulary,
} from './training/objective.ts';
export { Trainer, type TrainingData } from './training/trainer.ts';
