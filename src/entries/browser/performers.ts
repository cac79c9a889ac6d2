/** `performers` in a browser: the first page: attention on tensors, models, what they write, and models of one's own. */
import { type BackendOptions, createBackendOn } from '../../backend/select.ts';
import type { Backend } from '../../backend/types.ts';
import { browserHost } from '../../backend/wasm/browser-host.ts';

/**
 * Creates a backend: WebAssembly, with threads where the page is cross-origin isolated.
 *
 * @throws PlatformError if the kernels cannot be fetched, or the engine lacks WebAssembly SIMD.
 */
export async function createBackend(options?: BackendOptions): Promise<Backend> {
  return createBackendOn(browserHost, options);
}

// A backend computes; everything else takes one.
export type { BackendOptions } from '../../backend/select.ts';
export type { Stoppable } from '../../base/event-loop.ts';
export type { DataType } from '../../backend/numbers.ts';
export type { FloatArray, Storage, BackendName, Backend } from '../../backend/types.ts';

// Attention on tensors.
export { tensor, Tensor } from '../../tensor/tensor.ts';
export { scope, keep } from '../../tensor/scope.ts';
export { favorAttention, type FeatureOptions } from '../../attention/favor.ts';
export { exactAttention } from '../../attention/exact.ts';
export { lshAttention } from '../../attention/lsh.ts';
export { linformerAttention, type LinformerProjections } from '../../attention/linformer.ts';

// Models, made anew or read from a directory.
export { Transformer, type AttentionChoice, type ForwardOptions } from '../../model/transformer.ts';
export { EncoderDecoder, type EncoderDecoderPass } from '../../model/encoder-decoder.ts';
export {
  transformerPresets,
  type TransformerConfiguration,
  type TransformerOptions,
} from '../../model/configuration.ts';

// What models write.
export { streamText, generate, Decoder, type GenerateOptions } from '../../model/generate.ts';
export { translate, type TranslateOptions } from '../../model/translate.ts';
export {
  savedStateToJson,
  parseSavedState,
  type SavedState,
  type SavedStateJson,
} from '../../attention/decoding/saved-state.ts';

// Models, losses and training steps of one's own: also performers/layers, and AdamW in performers/training.
export { ops, type MatmulOptions, type ReduceOptions, type SoftmaxAxisOptions } from '../../tensor/ops/index.ts';
export { valueAndGradients } from '../../tensor/tape.ts';
export { languageModelLoss, classificationLoss } from '../../model/losses.ts';
export { translationLoss } from '../../model/encoder-decoder.ts';
export { Random } from '../../base/random.ts';

// Attention that keeps its features, and the states of decoding.
export { FavorAttention, drawFeatures } from '../../attention/favor.ts';
export { FavorState } from '../../attention/decoding/favor-state.ts';

// Weights in files.
export { decodeSafetensors, encodeSafetensors, type TensorEntry } from '../../storage/safetensors.ts';

// Errors: each has one of these classes.
export {
  PerformersError,
  ConfigurationError,
  ShapeError,
  DataError,
  FileError,
  NetworkError,
  LifetimeError,
  OutOfMemoryError,
  PlatformError,
} from '../../base/errors.ts';
export type { AttentionConfiguration } from '../../attention/configuration.ts';
export type {
  Segments,
  KeyMask,
  AttendOptions,
  AttentionLayerSizes,
  DecodingSizes,
  DecodingState,
  Attention,
} from '../../attention/types.ts';
export type { ProjectionKind } from '../../features/projection.ts';
export type { NormKind, Projection } from '../../features/projections/projection.ts';
export type { EncoderDecoderConfiguration, EncoderDecoderOptions } from '../../model/encoder-decoder-configuration.ts';
export type { EmbeddingOptions } from '../../model/layers/token-embedding.ts';
export type { AttentionHeads, AttentionObserver, AttentionPass } from '../../model/layers/multi-head-attention.ts';
export type { SamplingOptions } from '../../model/sampling.ts';
