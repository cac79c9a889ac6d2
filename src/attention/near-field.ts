import type { Backend } from '../backend/types.ts';
import { ConfigurationError, DataError } from '../base/errors.ts';
import { checkArguments, option } from '../base/options.ts';
import type { Random } from '../base/random.ts';
import type { FeatureTensors } from '../tensor/ops/attention/favor.ts';
import { nearFieldAttention } from '../tensor/ops/attention/near-field.ts';
import type { AttentionInputs } from '../tensor/ops/attention/shapes.ts';
import { softmaxAttention } from '../tensor/ops/attention/softmax-attention.ts';
import { keep, scope } from '../tensor/scope.ts';
import { scopeUnlessTracked } from '../tensor/tape.ts';
import { checkTensors, Tensor } from '../tensor/tensor.ts';
import type { NearFieldConfiguration } from './configuration.ts';
import { checkStep } from './decoding/check-step.ts';
import { checkSameNearField, NearFieldState, nearFieldStateKind } from './decoding/near-field-state.ts';
import { checkArray, parseSavedState, type SavedState, type SavedStateJson } from './decoding/saved-state.ts';
import { FavorAttention, type FavorAttentionConfiguration } from './favor.ts';
import { checkAttend } from './options.ts';
import { attentionInputs, checkNearField, denseSequences } from './packing.ts';
import type { AttendOptions, Attention, AttentionLayerSizes, DecodingSizes } from './types.ts';

/**
 * Exact attention to the near keys of every query, an estimate by random features of the far keys, and one divisor
 * (docs/favor.md). Holds the features of one layer, and the gain of every head, which is trained.
 */
export class NearFieldAttention implements Attention<NearFieldState> {
  readonly nearField: NearFieldConfiguration;
  readonly #favor: FavorAttention;
  readonly #gain: Tensor | undefined;

  /** @param numHeads heads of the layer, of which each has a gain */
  constructor(
    readonly backend: Backend,
    configuration: Omit<FavorAttentionConfiguration, 'nearField'> & { readonly nearField: NearFieldConfiguration },
    dHead: number,
    numHeads: number,
    random: Random,
  ) {
    checkArguments(
      'NearFieldAttention',
      { configuration, numHeads },
      { configuration: option.plain, numHeads: option.count },
    );
    const { nearField, ...favor } = configuration;
    this.nearField = nearField;
    this.#favor = new FavorAttention(backend, favor, dHead, random);
    const hasGain = nearField.far === 'features' && nearField.mass === 'kernel';
    this.#gain = hasGain ? scope(() => keep(Tensor.zeros(backend, [numHeads]))) : undefined;
  }

  get features(): FeatureTensors {
    return this.#favor.features;
  }

  get configuration(): FavorAttention['configuration'] {
    return this.#favor.configuration;
  }

  get dHead(): number {
    return this.#favor.dHead;
  }

  /** @throws ConfigurationError where queries and keys have no positions in common, and for rows that are not divided. */
  attend(queries: Tensor, keys: Tensor, values: Tensor, options: AttendOptions = {}): Tensor {
    checkAttend('NearFieldAttention.attend', { queries, keys, values }, options);
    checkNearField(queries, keys, options);
    const differentiable = [queries, keys, values, ...(this.#gain ? [this.#gain] : [])];
    return scopeUnlessTracked(differentiable, () =>
      this.#attendTo(attentionInputs(queries, keys, values, options), options.causal),
    );
  }

  createState(sizes: DecodingSizes): NearFieldState {
    return NearFieldState.empty(this.backend, sizes, this.nearField, this.features.numFeatures);
  }

  restoreState(saved: SavedState | SavedStateJson): NearFieldState {
    const parsed = parseSavedState(saved);
    const { batch, heads, dHead } = parsed.sizes;
    if (dHead !== this.dHead) {
      throw new DataError(
        `The saved state is for dHead ${dHead}, this attention for ${this.dHead}: restore it with its own.`,
      );
    }
    if (parsed.type === 'near-field' && parsed.arrays.scales) {
      checkArray('scales', parsed.arrays.scales, batch * heads * this.features.numFeatures);
    }
    return NearFieldState.restore(this.backend, this.nearField, parsed);
  }

  stackStates(states: readonly NearFieldState[]): NearFieldState {
    return NearFieldState.stack(states);
  }

  extend(queries: Tensor, keys: Tensor, values: Tensor, state: NearFieldState): Tensor {
    checkStep('NearFieldAttention.extend', state, nearFieldStateKind, { queries, keys, values });
    this.#checkState(state);
    const [batch, length] = queries.shape;
    state.append(keys, values);
    return scope(() => {
      const sequences = denseSequences(this.backend, batch, length, state.rows);
      const inputs = { queries, keys: state.keys, values: state.values, layout: 'blhd', sequences } as const;
      return this.#attendTo(inputs, true, state);
    });
  }

  /** The state after the first `length` keys and values `[batch, capacity, heads, d]`. O(length). */
  stateAfter(keys: Tensor, values: Tensor, length: number): NearFieldState {
    checkTensors('NearFieldAttention.stateAfter', { keys, values });
    const [batch, , heads, dHead] = keys.shape;
    const state = this.createState({ batch, heads, dHead, dValue: values.shape[3] });
    state.append(keys, values, length);
    scope(() => {
      const queries = Tensor.empty(this.backend, [batch, 0, heads, dHead]);
      // Without queries, the keys are added as those of a sequence that starts.
      const sequences = denseSequences(this.backend, batch, 0, length, 0);
      this.#attendTo({ queries, keys: state.keys, values: state.values, layout: 'blhd', sequences }, true, state);
    });
    return state;
  }

  parameters(): Map<string, Tensor> {
    return new Map(this.#gain ? [['gain', this.#gain]] : []);
  }

  buffers(): Map<string, Tensor> {
    return this.#favor.buffers();
  }

  redraw(random: Random): void {
    this.#favor.redraw(random);
  }

  dispose(): void {
    this.#gain?.dispose();
    this.#favor.dispose();
  }

  /** Checked before the state changes. */
  #checkState({ nearField, sizes, far }: NearFieldState): void {
    checkSameNearField(nearField, this.nearField);
    const { numFeatures } = this.features;
    const fitsHeads = !this.#gain || this.#gain.size === sizes.heads;
    if (fitsHeads && sizes.dHead === this.dHead && (far?.numFeatures ?? numFeatures) === numFeatures) return;
    throw new ConfigurationError(
      `NearFieldAttention.extend: the state has ${sizes.heads} heads of ${sizes.dHead}${far ? ` and ${far.numFeatures} features` : ''}, the attention ${this.#gain ? `${this.#gain.size} heads of ` : 'heads of '}${this.dHead} and ${numFeatures}; use the attention that made the state.`,
    );
  }

  #attendTo(inputs: AttentionInputs, causal = false, state?: NearFieldState): Tensor {
    const { block, sinks, far, mass } = this.nearField;
    if (far === 'none') return softmaxAttention(inputs, { causal, block, sinks });
    const options = { causal, block, sinks, mass, gain: this.#gain, state: state?.far?.arrays };
    return nearFieldAttention(inputs, this.features, options);
  }
}

/** FAVOR+ with or without a near field, as the configuration says. */
export function createFavor(
  backend: Backend,
  {
    nearField,
    ...configuration
  }: Omit<FavorAttentionConfiguration, 'nearField'> & { readonly nearField: NearFieldConfiguration | null },
  { dHead, numHeads }: Pick<AttentionLayerSizes, 'dHead' | 'numHeads'>,
  random: Random,
): FavorAttention | NearFieldAttention {
  return nearField
    ? new NearFieldAttention(backend, { ...configuration, nearField }, dHead, numHeads, random)
    : new FavorAttention(backend, configuration, dHead, random);
}
