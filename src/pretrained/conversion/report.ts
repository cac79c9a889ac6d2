import {
  type AttentionConfiguration,
  attentionSchema,
  type NearFieldConfiguration,
} from '../../attention/configuration.ts';
import type { FeatureOptions } from '../../attention/favor.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import { parseConfiguration } from '../../base/parse-configuration.ts';
import type { FeatureConfiguration, FeatureMapOptions } from '../../features/configuration.ts';
import { validPositions } from '../../model/layers/pooling.ts';
import type { AttentionChoice, Transformer } from '../../model/transformer.ts';
import { transformerKind } from '../../model/transformer.ts';
import { type ChosenAttention, chooseAttention, nearFieldsToTry } from './choose-attention.ts';
import { Comparison } from './comparison.ts';
import { LayerInputs } from './layer-errors.ts';
import {
  type ConversionReport,
  type EstimatorReport,
  type LayerAlone,
  type LayerError,
  type MeasuredBatch,
  measuredBatchesKind,
} from './types.ts';

/** Estimators of the softmax kernel, by their feature maps. */
export const softmaxEstimators = ['positive', 'hyperbolic', 'smreg', 'trigonometric', 'favor++'] as const;
export type SoftmaxEstimator = (typeof softmaxEstimators)[number];

/** Numbers of features that a report measures, unless told otherwise. */
export const conversionLadder: readonly number[] = [32, 64, 128, 256, 512];

export interface ConversionOptions extends AttentionChoice {
  /** Numbers of features to measure. Default 32, 64, 128, 256, 512. */
  readonly numFeatures?: readonly number[] | undefined;
  /** Default: all, with a near field all but trigonometric. */
  readonly estimators?: readonly SoftmaxEstimator[] | undefined;
  /** The feature map of `attention`, in place of its own: favor++ then takes the p that is measured. */
  readonly estimator?: SoftmaxEstimator | undefined;
  /** Determines the projections. Default 0. */
  readonly seed?: number | undefined;
  /** Queries measured in each sequence and head. Default 32. */
  readonly maxRows?: number | undefined;
  /** Relative error of the embeddings that one layer may cause. Default 0.1. */
  readonly tolerance?: number | undefined;
  /**
   * Find the number of features, the near field and the exact layers for this relative error of the embeddings. Features
   * and exact layers replace those that the attention and `exactLayers` give; a near field, or null, that the attention
   * gives is kept. Default: keep all.
   */
  readonly error?: number | undefined;
  /** Stops the work: its reason is thrown, and the model keeps the attention that was measured last. */
  readonly signal?: AbortSignal | undefined;
  /** @param done from 0 to 1 */
  readonly onProgress?: ((done: number, what: string) => void) | undefined;
}

/**
 * What a model with exact attention loses by FAVOR+: for every estimator and number of features, in the whole and by layer
 * and head. Leaves the model with the chosen attention.
 *
 * Costs a forward pass over all batches for every estimator, number of features and layer. For each of the first two it
 * also costs the rows of `approximationReport` on the first batch.
 *
 * @param model whose attention has no weights of its own; whatever it is, the reference is exact attention
 * @throws ConfigurationError when there is no batch, or the attention cannot take the place of exact attention.
 */
export async function conversionReport(
  model: Transformer,
  batches: readonly MeasuredBatch[],
  options: ConversionOptions = {},
): Promise<ConversionReport> {
  checkArguments(
    'conversionReport',
    { model, batches },
    {
      model: transformerKind,
      batches: measuredBatchesKind,
    },
  );
  checkOptions<ConversionOptions>('conversionReport', options, {
    attention: option.either(option.string, option.object),
    exactLayers: option.array,
    numFeatures: option.array,
    estimators: option.strings,
    estimator: option.string,
    seed: option.number,
    maxRows: option.number,
    tolerance: option.number,
    error: option.number,
    signal: option.signal,
    onProgress: option.function,
  });
  const { seed = 0, maxRows = 32, tolerance = 0.1, onProgress = () => {} } = options;
  const numFeatures = options.numFeatures ?? conversionLadder;
  const wanted = parseConfiguration(
    attentionSchema,
    typeof options.attention === 'string' ? { type: options.attention } : (options.attention ?? { type: 'favor' }),
    'the attention',
  );
  const estimators =
    options.estimators ?? softmaxEstimators.filter((name) => name !== 'trigonometric' || !nearFieldOf(wanted));
  const numSteps = estimators.length * numFeatures.length + model.configuration.numLayers + 2;
  let step = 0;
  const advance = (what: string) => onProgress(Math.min(1, step++ / numSteps), what);

  advance('exact attention');
  const comparison = await Comparison.open(model, batches, options.signal);
  const inputs = await LayerInputs.open(model, batches[0], maxRows, options.signal);
  try {
    const { p } = await inputs.measure({ numFeatures: 16, seed });
    const given = options.estimator ? withEstimator(wanted, options.estimator, p) : wanted;
    const base = featuresOf(given);
    const nearField = nearFieldOf(given);
    const ladder: EstimatorReport[] = [];
    for (const estimator of estimators) {
      for (const m of numFeatures) {
        advance(`${estimator}, ${m} features`);
        const features = { ...estimatorFeatures(estimator, base, p), numFeatures: m };
        const whole = await comparison.compare(
          { attention: { type: 'favor', ...features, nearField }, exactLayers: [] },
          seed,
        );
        const layers = await layerErrors(inputs, { ...features, seed }, nearField);
        ladder.push({ estimator, features, numFeatures: m, model: whole, layers });
      }
    }
    const favor = { type: 'favor' as const, ...base, nearField };
    const { causal } = model.configuration;
    const alone: LayerAlone[] = [];
    for (let layer = 0; layer < model.configuration.numLayers; layer++) {
      advance(`layer ${layer} alone`);
      const exactLayers = others(layer, model.configuration.numLayers);
      alone.push({ layer, model: await comparison.compare({ attention: favor, exactLayers }, seed) });
    }
    advance('the chosen attention');
    const chosen: ChosenAttention =
      options.error === undefined
        ? { attention: given, exactLayers: [...(options.exactLayers ?? [])] }
        : await chooseAttention(comparison, {
            base,
            alone,
            numFeatures,
            nearFields:
              asksForNearField(options) || !estimatesFar(base.featureMap)
                ? [nearField]
                : nearFieldsToTry(batches[0].shape[1], causal),
            causal,
            error: options.error,
            seed,
          });
    const whole = await comparison.compare(chosen, seed);
    const layers = await layersOf(inputs, chosen, seed);
    onProgress(1, 'done');
    const { accuracy, loss } = comparison.exact;
    return {
      sequences: batches.reduce((sum, { shape }) => sum + shape[0], 0),
      numTokens: batches.reduce((sum, batch) => sum + countTokens(batch), 0),
      exact: { ...(accuracy !== undefined && { accuracy }), ...(loss !== undefined && { loss }) },
      p,
      ladder,
      chosen: { ...chosen, model: whole, layers },
      alone,
      keepExact: alone.filter((each) => !(each.model.embeddingError <= tolerance)).map(({ layer }) => layer),
      tolerance,
    };
  } finally {
    inputs.dispose();
  }
}

/** What the features of an attention are drawn from; the paper's where an attention has no features. */
function featuresOf(attention: AttentionConfiguration): FeatureMapOptions {
  if (attention.type !== 'favor' && attention.type !== 'auto') return {};
  const { numFeatures, featureMap, projection, norms }: FeatureConfiguration = attention;
  return { numFeatures, featureMap, ...(projection && { projection }), ...(norms && { norms }) };
}

const nearFieldOf = (attention: AttentionConfiguration) => ('nearField' in attention ? attention.nearField : null);

/** Whether features of this map can estimate far keys beside exact near keys. */
const estimatesFar = (featureMap: FeatureMapOptions['featureMap']) =>
  attentionSchema.safeParse({ type: 'favor', featureMap, nearField: { block: 1 } }).success;

/** Whether the caller says which near field, or refuses any. */
function asksForNearField({ attention }: ConversionOptions): boolean {
  return typeof attention === 'object' && 'nearField' in attention && attention.nearField !== undefined;
}

function withEstimator(
  attention: AttentionConfiguration,
  estimator: SoftmaxEstimator,
  p: number,
): AttentionConfiguration {
  const { featureMap } = estimatorFeatures(estimator, {}, p);
  return parseConfiguration(attentionSchema, { ...attention, featureMap }, 'the attention');
}

function estimatorFeatures(estimator: SoftmaxEstimator, base: FeatureMapOptions, p: number): FeatureMapOptions {
  const { projection } = base;
  const rows = projection && projection !== 'none' ? { projection } : {};
  return { ...rows, featureMap: estimator === 'favor++' ? { type: 'favor++', p } : estimator };
}

/** A near field alone is no estimate: it has no errors of layers. */
async function layerErrors(
  inputs: LayerInputs,
  features: FeatureOptions,
  nearField: NearFieldConfiguration | null,
): Promise<LayerError[]> {
  return nearField?.far === 'none' ? [] : (await inputs.measure(features, nearField)).layers;
}

async function layersOf(
  inputs: LayerInputs,
  { attention, exactLayers }: ChosenAttention,
  seed: number,
): Promise<LayerError[]> {
  if (attention.type !== 'favor' && attention.type !== 'auto') return [];
  const layers = await layerErrors(inputs, { ...featuresOf(attention), seed }, attention.nearField);
  return layers.filter(({ layer }) => !exactLayers.includes(layer));
}

function others(layer: number, numLayers: number): number[] {
  return Array.from({ length: numLayers }, (_, each) => each).filter((each) => each !== layer);
}

function countTokens({ shape: [batch, length], options = {} }: MeasuredBatch): number {
  return validPositions(options, batch, length).reduce((sum, positions) => sum + positions.length, 0);
}
