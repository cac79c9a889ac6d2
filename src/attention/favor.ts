import type { Backend } from '../backend/types.ts';
import { featureMapKinds, MAX_BLOCK, projectionForms } from '../backend/types.ts';
import { ConfigurationError, DataError } from '../base/errors.ts';
import type { Pauses } from '../base/event-loop.ts';
import { checkArguments, checkOptions, describe, type OptionKinds, option } from '../base/options.ts';
import { parseConfiguration } from '../base/parse-configuration.ts';
import { Random, randomKind, streams } from '../base/random.ts';
import { type FeatureConfiguration, type FeatureMapOptions, featureSchema } from '../features/configuration.ts';
import {
  drawFeatures as drawPlainFeatures,
  drawFeaturesInSteps as drawPlainFeaturesInSteps,
} from '../features/draw-features.ts';
import type { Features } from '../features/features.ts';
import { type FeatureTensors, favor, favorState, featureStorages, resultOf } from '../tensor/ops/attention/favor.ts';
import { favorCausal } from '../tensor/ops/attention/favor-causal.ts';
import { type NearFieldOptions, nearFieldAttention } from '../tensor/ops/attention/near-field.ts';
import { keep, scope } from '../tensor/scope.ts';
import { scopeUnlessTracked } from '../tensor/tape.ts';
import { backendKind, checkTensors, Tensor, tensor, tensorKind } from '../tensor/tensor.ts';
import { checkStep } from './decoding/check-step.ts';
import { FavorState, favorStateKind } from './decoding/favor-state.ts';
import { checkArray, parseSavedState, type SavedState, type SavedStateJson } from './decoding/saved-state.ts';
import { attendOptions, checkAttend } from './options.ts';
import { attentionInputs, checkNearField, denseSequences } from './packing.ts';
import type { AttendOptions, Attention, DecodingSizes } from './types.ts';

/** Random features drawn from a seed. Defaults: 256 positive orthogonal features, seed 0. */
export interface FeatureOptions extends FeatureMapOptions {
  readonly seed?: number;
}

/**
 * Draws random features for heads of width `dHead`; the caller (or its scope) disposes them.
 *
 * @throws ConfigurationError when the options are not valid or do not fit dHead.
 */
export function drawFeatures(backend: Backend, dHead: number, options: FeatureOptions = {}): FeatureTensors {
  return uploadFeatures(backend, drawPlainFeatures(...drawing(backend, dHead, options)), dHead);
}

/** As {@link drawFeatures}, but the event loop may turn between blocks of directions. The caller disposes the tensors. */
export async function drawFeaturesInSteps(
  backend: Backend,
  dHead: number,
  options: FeatureOptions,
  pauses: Pauses,
): Promise<FeatureTensors> {
  return uploadFeatures(backend, await drawPlainFeaturesInSteps(...drawing(backend, dHead, options), pauses), dHead);
}

/** What features are drawn from, checked. */
function drawing(backend: Backend, dHead: number, options: FeatureOptions): [FeatureConfiguration, number, Random] {
  checkArguments(
    'drawFeatures',
    { backend, dHead },
    {
      backend: backendKind,
      dHead: option.count,
    },
  );
  if (!(Number.isSafeInteger(dHead) && dHead >= 1 && dHead <= 65_536)) {
    throw new ConfigurationError(`drawFeatures: dHead is ${describe(dHead)}; give a whole number from 1 to 65536.`);
  }
  if (typeof options !== 'object' || options === null) {
    throw new ConfigurationError(`drawFeatures: the options are ${describe(options)}; give an object.`);
  }
  const { seed = 0, ...rest } = options;
  const configuration = parseConfiguration(featureSchema, rest, 'the options of the features');
  return [configuration, dHead, new Random(seed, streams.projections)];
}

function uploadFeatures(backend: Backend, drawn: Features, dHead: number): FeatureTensors {
  const { projection, bias, numFeatures, form } = drawn;
  const shape = form === 'dense' ? [numFeatures, dHead] : [projection.length];
  return {
    ...drawn,
    dHead,
    projection: tensor(backend, projection, shape),
    bias: bias && tensor(backend, bias, [numFeatures]),
  };
}

/**
 * FAVOR+ attention, an unbiased kernel estimate of softmax attention in O(length) time.
 *
 * @param queries `[batch, heads, lengthQ, dHead]`
 * @param keys `[batch, heads, lengthK, dHead]`
 * @param values `[batch, heads, lengthK, dValue]`
 * @param options.features tensors from {@link drawFeatures}, or what to draw them from
 * @param options.nearField near keys are exact, and only far keys are estimated (docs/favor.md). Default: an estimate of all keys.
 * @returns `[batch, heads, lengthQ, dValue]`; zeros for a query that sees no valid key
 */
export function favorAttention(
  queries: Tensor,
  keys: Tensor,
  values: Tensor,
  options: FavorAttentionOptions = {},
): Tensor {
  checkTensors('favorAttention', { queries, keys, values });
  checkOptions<FavorAttentionOptions>('favorAttention', options, favorAttentionOptions);
  return scopeUnlessTracked([queries, keys, values], () => {
    const given = options.features ?? {};
    if (isDrawn(given)) checkArguments('favorAttention', { features: given }, { features: featureTensorsKind });
    const features = isDrawn(given) ? given : drawFeatures(queries.backend, queries.shape[3], given);
    const { nearField } = options;
    if (nearField) checkNearFieldChoice('favorAttention', nearField, queries, keys, options);
    const inputs = attentionInputs(queries, keys, values, options);
    if (nearField) return nearFieldAttention(inputs, features, { ...nearField, causal: options.causal });
    return options.causal ? favorCausal(inputs, features, options) : favor(inputs, features, options);
  });
}

type FavorAttentionOptions = AttendOptions & {
  features?: FeatureTensors | FeatureOptions;
  nearField?: NearFieldChoice | undefined;
};

const favorAttentionOptions: OptionKinds<FavorAttentionOptions> = {
  ...attendOptions,
  features: option.plain,
  nearField: option.plain,
};

/** Which keys are near, and what far keys weigh. */
export type NearFieldChoice = Omit<NearFieldOptions, 'causal'>;

/** @throws ConfigurationError for a near field that is not valid or does not fit */
export function checkNearFieldChoice(
  where: string,
  nearField: NearFieldChoice,
  queries: Tensor,
  keys: Tensor,
  options: AttendOptions,
): void {
  checkOptions<NearFieldChoice>(`${where}: nearField`, nearField, nearFieldOptions);
  checkNearField(queries, keys, options);
}

const nearFieldOptions: OptionKinds<NearFieldChoice> = {
  block: option.countTo(MAX_BLOCK),
  sinks: option.upTo(MAX_BLOCK),
  gain: tensorKind,
  mass: option.oneOf('kernel', 'features'),
};

const featureTensorsKind = option.having('what drawFeatures() gives', {
  dHead: option.count,
  numFeatures: option.count,
  map: option.oneOf(...featureMapKinds),
  form: option.oneOf(...projectionForms),
  factors: option.natural,
  directions: option.count,
  epsilon: option.number,
  weight: option.number,
  stabiliser: option.number,
  projection: tensorKind,
  bias: option.optional(tensorKind),
});

function isDrawn(features: FeatureTensors | FeatureOptions): features is FeatureTensors {
  return 'dHead' in features;
}

export type FavorAttentionConfiguration = FeatureConfiguration & {
  readonly normalised?: boolean;
  readonly nearField?: null;
  /** The options of the model's configuration, without those of the features. */
  readonly type?: string;
  readonly redrawInterval?: number;
  readonly crossover?: number | undefined;
};

/** FAVOR+ attention as a configuration value's meaning: holds the features of one layer. */
export class FavorAttention implements Attention<FavorState> {
  readonly configuration: FeatureConfiguration & { readonly normalised: boolean };
  readonly #features: FeatureTensors;

  constructor(
    readonly backend: Backend,
    configuration: FavorAttentionConfiguration,
    readonly dHead: number,
    random: Random,
  ) {
    checkArguments(
      'FavorAttention',
      { backend, configuration, dHead, random },
      {
        backend: backendKind,
        configuration: option.plain,
        dHead: option.count,
        random: randomKind,
      },
    );
    const { type: _, redrawInterval: __, crossover: ___, normalised = true, nearField, ...features } = configuration;
    checkArguments('FavorAttention', { normalised }, { normalised: option.boolean });
    if (nearField) {
      throw new ConfigurationError('FavorAttention has no near field: create a NearFieldAttention for it.');
    }
    const where = 'the configuration of FavorAttention';
    this.configuration = { ...parseConfiguration(featureSchema, features, where), normalised };
    this.#features = scope(() => {
      const drawn = uploadFeatures(backend, drawPlainFeatures(this.configuration, dHead, random), dHead);
      keep(drawn.projection);
      if (drawn.bias) keep(drawn.bias);
      return drawn;
    });
  }

  get features(): FeatureTensors {
    return this.#features;
  }

  /** `options.normalised` stands above the configuration's. */
  attend(queries: Tensor, keys: Tensor, values: Tensor, options: AttendOptions = {}): Tensor {
    checkAttend('FavorAttention.attend', { queries, keys, values }, options);
    const { normalised } = this.configuration;
    return favorAttention(queries, keys, values, { normalised, ...options, features: this.features });
  }

  createState(sizes: DecodingSizes): FavorState {
    return FavorState.empty(this.backend, sizes, this.features.numFeatures);
  }

  restoreState(saved: SavedState | SavedStateJson): FavorState {
    const parsed = parseSavedState(saved);
    const { batch, heads, dHead } = parsed.sizes;
    if (dHead !== this.dHead) {
      throw new DataError(
        `The saved state is for dHead ${dHead}, this attention for ${this.dHead}: restore it with its own.`,
      );
    }
    if (parsed.type === 'favor') {
      checkArray('scales', parsed.arrays.scales, batch * heads * this.features.numFeatures);
    }
    return FavorState.restore(this.backend, parsed);
  }

  stackStates(states: readonly FavorState[]): FavorState {
    return FavorState.stack(states);
  }

  /** The state after the first `length` keys and values `[batch, capacity, heads, d]`. O(length). */
  stateAfter(keys: Tensor, values: Tensor, length: number): FavorState {
    checkArguments(
      'FavorAttention.stateAfter',
      { keys, values, length },
      { keys: tensorKind, values: tensorKind, length: option.natural },
    );
    const [batch, , heads, dHead] = keys.shape;
    const dValue = values.shape[3];
    const state = this.createState({ batch, heads, dHead, dValue });
    scope(() => {
      const sequences = denseSequences(this.backend, batch, 0, length);
      favorState({ keys, values, layout: 'blhd', sequences }, this.features, state.arrays);
    });
    state.advance(length);
    return state;
  }

  extend(queries: Tensor, keys: Tensor, values: Tensor, state: FavorState): Tensor {
    checkStep('FavorAttention.extend', state, favorStateKind, { queries, keys, values });
    const { batch, heads, dHead, dValue } = state.sizes;
    const length = queries.shape[1];
    const { normalised } = this.configuration;
    if (length !== 1) {
      const out = scope(() => {
        const sequences = denseSequences(this.backend, batch, length, length);
        return favorCausal({ queries, keys, values, layout: 'blhd', sequences }, this.features, {
          normalised,
          state: state.arrays,
        });
      });
      state.advance(length);
      return out;
    }
    const out = Tensor.empty(this.backend, [batch, 1, heads, dValue]);
    this.backend.favorStep({
      q: queries.storage,
      k: keys.storage,
      v: values.storage,
      out: out.storage,
      ...featureStorages(this.features, dHead),
      ...resultOf(this.features, { normalised }),
      ...state.arrays,
      batch,
      heads,
      dHead,
      dValue,
    });
    state.advance(1);
    return out;
  }

  buffers(): Map<string, Tensor> {
    const { projection, bias } = this.features;
    return new Map([['projection', projection], ...(bias ? [['bias', bias] as const] : [])]);
  }

  redraw(random: Random): void {
    checkArguments('FavorAttention.redraw', { random }, { random: randomKind });
    const { projection, bias } = this.features;
    const drawn = drawPlainFeatures(this.configuration, this.dHead, random);
    this.backend.write(projection.storage, drawn.projection);
    if (bias && drawn.bias) this.backend.write(bias.storage, drawn.bias);
  }

  dispose(): void {
    for (const buffer of this.buffers().values()) buffer.dispose();
  }
}
