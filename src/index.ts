/** The public API for browsers: reaches no Node module (a test walks its imports). */
import { browserHost } from './backend/browser-host.ts';
import { type BackendOptions, createBackendOn } from './backend/select.ts';
import type { Backend } from './backend/types.ts';

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
export { exactAttention } from './attention/exact.ts';
export { drawFeatures, FavorAttention, type FeatureOptions, favorAttention } from './attention/favor.ts';
export { formatReport } from './attention/format-report.ts';
export {
  type AttentionRows,
  attentionRows,
  type InspectOptions,
  topKeys,
  type WeightedKey,
} from './attention/inspect.ts';
export { KeyValueCache } from './attention/key-value-cache.ts';
export { LinformerAttention, type LinformerProjections, linformerAttention } from './attention/linformer.ts';
export { LshAttention, lshAttention } from './attention/lsh.ts';
export type { MeasureOptions } from './attention/measured-outputs.ts';
export {
  type FeatureError,
  type FeatureSearch,
  type FeatureSearchOptions,
  smallestNumFeatures,
} from './attention/num-features.ts';
export { approximationReport, type ReportOptions } from './attention/report.ts';
export type * from './attention/report-types.ts';
export { paddedSegments, type Segments } from './attention/runs.ts';
export { parseSavedState, type SavedState, type SavedStateJson, savedStateToJson } from './attention/saved-state.ts';
export { FavorState } from './attention/state.ts';
export type * from './attention/types.ts';
export { type EmpiricalBaseline, empiricalBaseline, orderKModel, targetCounts } from './data/baselines.ts';
export { stripGutenberg } from './data/formats/gutenberg.ts';
export { type WikitextOptions, wikitextToText } from './data/formats/wikitext.ts';
export { GroupSplit, type GroupSplitCounts, type GroupSplitRule, partOfGroup } from './data/group-split.ts';
export {
  evaluationExamples,
  type LabelledBatchOptions,
  type LabelledRecord,
  type LabelledTokens,
  labelledTokens,
  trainingExamples,
} from './data/labelled.ts';
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
export { Masking, type MaskingOptions, maskedEvaluation, maskedTraining } from './data/masking.ts';
export { type BadRecord, BadRecords, type DataRecord } from './data/records.ts';
export { segments, segmentsOf } from './data/segments.ts';
export { evaluationSequences, type SequenceOptions, trainingSequences } from './data/sequences.ts';
export { documentParts, type PartName, planSplit, type SplitRule, splitText, textDocuments } from './data/split.ts';
export { fromTexts, type TokenSplit, type TokenStore } from './data/token-store.ts';
export type {
  EncodeOptions,
  ForeignTokenizerJson,
  SpecialRole,
  SpecialTokens,
  Tokenizer,
  TokenizerJson,
  TokenStream,
} from './data/tokenizer.ts';
export type { SpecialTokenOptions } from './data/tokenizers/added-tokens.ts';
export { BpeTokenizer } from './data/tokenizers/bpe.ts';
export { ByteTokenizer } from './data/tokenizers/bytes.ts';
export { CharacterTokenizer } from './data/tokenizers/characters.ts';
export { type ForeignTokenizer, loadForeignTokenizer } from './data/tokenizers/foreign.ts';
export { loadTokenizer } from './data/tokenizers/load.ts';
export { loadAnyTokenizer } from './data/tokenizers/load-any.ts';
export { PixelTokenizer, pixelText } from './data/tokenizers/pixels.ts';
export { ProteinTokenizer } from './data/tokenizers/proteins.ts';
export { type TrainBpeOptions, trainBpe } from './data/tokenizers/train-bpe.ts';
export { type TrainCharactersOptions, trainCharacters } from './data/tokenizers/train-characters.ts';
export { type TrainUnigramOptions, trainUnigram } from './data/tokenizers/train-unigram.ts';
export { UnigramTokenizer } from './data/tokenizers/unigram.ts';
export {
  type Batch,
  type EvaluationWindows,
  evaluationWindows,
  type TrainingWindows,
  trainingWindows,
} from './data/windows.ts';
export * from './features/closed-forms.ts';
export { activations, featureConfiguration } from './features/configuration.ts';
export { measureP, optimalA } from './features/maps/favor-plus-plus.ts';
export { drawProjection, type ProjectionKind, projectionKinds } from './features/projection.ts';
export type { NormKind, Projection } from './features/projections/projection.ts';
export { classificationLoss } from './models/classification.ts';
export {
  type TransformerConfiguration,
  type TransformerOptions,
  transformerConfiguration,
  transformerPresets,
} from './models/configuration.ts';
export { EncoderDecoder, type EncoderDecoderPass, translationLoss } from './models/encoder-decoder.ts';
export {
  type EncoderDecoderConfiguration,
  type EncoderDecoderOptions,
  encoderDecoderConfiguration,
} from './models/encoder-decoder-configuration.ts';
export { Decoder, type GenerateOptions, generate, streamText } from './models/generate.ts';
export { languageModelLoss } from './models/language-model.ts';
export { type SamplingOptions, sampleToken } from './models/sampling.ts';
export { type AttentionChoice, type ForwardOptions, Transformer } from './models/transformer.ts';
export { type TranslateOptions, translate } from './models/translate.ts';
export { Dropout } from './nn/dropout.ts';
export type { EmbeddingOptions } from './nn/embedding.ts';
export type { AttentionHeads, AttentionObserver, AttentionPass } from './nn/multi-head-attention.ts';
export { imagePatches, type PatchSizes } from './nn/patch-embedding.ts';
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
export {
  COMPANIONS as companionsFile,
  type Companions,
  classLabels,
  classNames,
  keptConfig,
  parseCompanions,
  unchangedCompanions,
} from './pretrained/hugging-face/companions.ts';
export { type CreateOptions, createPretrained } from './pretrained/hugging-face/create.ts';
export {
  type ExportedTokenizer,
  type ExportOptions,
  exportHuggingFace,
  tokenizerFiles,
} from './pretrained/hugging-face/export.ts';
export type { FamilyName } from './pretrained/hugging-face/family.ts';
export { filesInMemory, type PretrainedFiles } from './pretrained/hugging-face/files.ts';
export { type Pretrained, type ReadOptions, readHuggingFace } from './pretrained/hugging-face/read.ts';
export type { SentencePooling } from './pretrained/hugging-face/sentence-pooling.ts';
export { decodeSafetensors, encodeSafetensors, type TensorEntry } from './pretrained/safetensors.ts';
export { loadWeights, readWeights } from './pretrained/weights.ts';
export { activation } from './tensor/ops/activation.ts';
export { add } from './tensor/ops/add.ts';
export { embedding } from './tensor/ops/embedding.ts';
export { layerNorm } from './tensor/ops/layer-norm.ts';
export { linear } from './tensor/ops/linear.ts';
export { reshape } from './tensor/ops/reshape.ts';
export { weightedSum } from './tensor/ops/weighted-sum.ts';
export { Random, streams } from './tensor/random.ts';
export { keep, scope } from './tensor/scope.ts';
export { valueAndGradients } from './tensor/tape.ts';
export { Tensor, tensor } from './tensor/tensor.ts';
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
export type { TeacherErrors } from './training/loss.ts';
export {
  checkObjective,
  heldOutBatches,
  objectiveLoss,
  trainingBatches,
  type Vocabulary,
} from './training/objective.ts';
export { Trainer, type TrainingData } from './training/trainer.ts';
