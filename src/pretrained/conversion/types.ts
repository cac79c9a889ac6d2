import { type OptionKind, option } from '../../base/options.ts';
import type { FeatureMapOptions } from '../../features/configuration.ts';
import type { AttentionChoice, ForwardOptions } from '../../model/transformer.ts';
import type { Shape } from '../../tensor/shape.ts';

/** Sequences that a conversion is measured on. */
export interface MeasuredBatch {
  /** Token ids `[batch, length]`, or image patches `[batch, numPatches, channels·patchSize²]`. */
  readonly input: Int32Array | Float32Array;
  readonly shape: Shape;
  /** What a forward pass needs to know besides. */
  readonly options?: Omit<ForwardOptions, 'dropout'> | undefined;
  /** Tokens to predict, `[batch, length]`; negative = not counted. Default: none, so that accuracy is not measured. */
  readonly targets?: Int32Array | undefined;
}

export const measuredBatchesKind: OptionKind = option.listOf(
  option.having('a batch', {
    input: option.either(option.view('Int32Array'), option.view('Float32Array')),
    shape: option.listOf(option.natural),
    options: option.optional(option.plain),
    targets: option.optional(option.view('Int32Array')),
  }),
);

/** A whole model against the same model with exact attention. Embeddings are the pooled hidden states of a sequence. */
export interface ModelComparison {
  /** Mean of ‖e − e′‖/‖e‖ over sequences: 0 is exact. */
  readonly embeddingError: number;
  readonly embeddingCosine: { readonly mean: number; readonly worst: number };
  /** Share of the targets that get the largest logit, 0 to 1. */
  readonly accuracy?: number;
  /** Mean loss of the targets, nats. */
  readonly loss?: number;
}

/** How far a head's estimate is from exact attention to the same queries, keys and values; means over sequences. */
export interface HeadError {
  /** ‖out − exact‖/‖exact‖ */
  readonly outputError: number;
  /** Share of the attention that is on the wrong keys. */
  readonly totalVariation: number;
  /** Features that decide a row. */
  readonly effectiveFeatures: number;
}

export interface LayerError extends HeadError {
  readonly layer: number;
  readonly heads: readonly HeadError[];
}

/** One way to estimate the attention of all layers. */
export interface EstimatorReport {
  /** Name of the feature map. */
  readonly estimator: string;
  readonly features: FeatureMapOptions;
  readonly numFeatures: number;
  readonly model: ModelComparison;
  readonly layers: readonly LayerError[];
}

/** The model with FAVOR+ in one layer alone. */
export interface LayerAlone {
  readonly layer: number;
  readonly model: ModelComparison;
}

/** Plain data: survives JSON, in which what is not finite becomes null. */
export interface ConversionReport {
  readonly sequences: number;
  /** Number of tokens, padding left out. */
  readonly numTokens: number;
  /** The model with exact attention in all layers. */
  readonly exact: Pick<ModelComparison, 'accuracy' | 'loss'>;
  /** Mean of ‖x + y‖²/dHead over scaled queries and keys of all layers: FAVOR++'s p. */
  readonly p: number;
  /** All layers converted, for every estimator and number of features. */
  readonly ladder: readonly EstimatorReport[];
  /** The attention that the model leaves with. Layers that stay exact are not listed. */
  readonly chosen: AttentionChoice & { readonly model: ModelComparison; readonly layers: readonly LayerError[] };
  readonly alone: readonly LayerAlone[];
  /** Layers that should stay exact: each, converted alone, moves the embeddings by more than the tolerance. */
  readonly keepExact: readonly number[];
  readonly tolerance: number;
}
