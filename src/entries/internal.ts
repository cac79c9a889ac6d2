/** `performers/internal`: what the command line, the bench and the experiments use beyond the other entries; unstable. */

export { dividedRows, exponentialEstimator, farSnapshotsLength, snapshotsLength } from '../backend/projection-sizes.ts';
export { commandLine, isCheckout } from '../base/checkout.ts';
export { inSteps, Pauses, pause } from '../base/event-loop.ts';
export { parseConfiguration } from '../base/parse-configuration.ts';
export { createAttention } from '../attention/attention.ts';
export { attentionSchema } from '../attention/configuration.ts';
export { KeyValueCache } from '../attention/decoding/key-value-cache.ts';
export { LinformerAttention } from '../attention/linformer.ts';
export { LshAttention } from '../attention/lsh.ts';
export { streams } from '../base/random.ts';
export { targetCounts } from '../data/baselines.ts';
export { splitSchema, usualFraction } from '../data/dataset/split.ts';
export { partOfGroup } from '../data/dataset/group-split.ts';
export { stripGutenberg } from '../data/formats/gutenberg.ts';
export { wikitextToText } from '../data/formats/wikitext/wikitext.ts';
export {
  evaluateListOps,
  listOpsExample,
  listOpsLetters,
  listOpsText,
  parseListOps,
} from '../data/listops.ts';
export { activations, featureSchema } from '../features/configuration.ts';
export { drawProjection, projectionKinds } from '../features/projection.ts';
export { transformerSchema } from '../model/configuration.ts';
export { encoderDecoderSchema } from '../model/encoder-decoder-configuration.ts';
export { sampleToken } from '../model/sampling.ts';
export { onnxChoices } from '../onnx/export.ts';
export { tokenizerFiles } from '../pretrained/hugging-face/export.ts';
export {
  COMPANIONS as companionsFile,
  classLabels,
  classNames,
  keptConfig,
  parseCompanions,
  unchangedCompanions,
  type Companions,
} from '../storage/companions.ts';
export { segments } from '../tokenizers/text-segments.ts';
export { batchOptions } from '../training/batch-tensors.ts';
export { trainingSchema } from '../training/configuration.ts';
export { checkTeacher } from '../training/distillation.ts';
export { checkObjective } from '../training/objective.ts';
export { messageOf } from '../base/errors.ts';
export { explainWriteError } from '../base/write-errors.ts';
export { brotliBitsPerCharacter } from '../data/brotli-baseline.ts';
export { imagePaths } from '../data/formats/images/images.ts';
export { checkTokenizer } from '../storage/check-tokenizer.ts';
export { loadTransformer, restoreModel } from '../storage/load.ts';
export {
  findCheckpoint,
  isCheckpoint,
  loadModelFiles,
  parseJson,
  readNewest,
  type ModelFiles,
} from '../storage/model-directory.ts';
export { checkEmpty, saveFiles } from '../storage/save.ts';
export { tokensFingerprint } from '../data/tokens/fingerprint.ts';
export { dataFingerprint } from '../training/data-fingerprint.ts';
export { lockRun } from '../training/run-lock.ts';
export type {
  AttentionLayout,
  ActivationKind,
  GemmArguments,
  AttentionSizes,
  AttentionArrays,
  AttentionGradients,
  FeatureMapKind,
  ProjectionForm,
  Estimator,
  FavorFeatures,
  FavorResult,
  FavorStateArrays,
  SoftmaxOptions,
  LshArrays,
  AdamWArguments,
} from '../backend/types.ts';
