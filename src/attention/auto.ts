import type { Backend } from '../backend/types.ts';
import { ConfigurationError } from '../base/errors.ts';
import { checkArguments, type OptionKind, option } from '../base/options.ts';
import type { Random } from '../base/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { AutoConfiguration } from './configuration.ts';
import { crossoverLength } from './crossover.ts';
import { checkStep } from './decoding/check-step.ts';
import { FavorState } from './decoding/favor-state.ts';
import { KeyValueCache } from './decoding/key-value-cache.ts';
import { NearFieldState } from './decoding/near-field-state.ts';
import { parseSavedState, type SavedState, type SavedStateJson } from './decoding/saved-state.ts';
import { ExactAttention } from './exact.ts';
import { FavorAttention } from './favor.ts';
import { createFavor, type NearFieldAttention } from './near-field.ts';
import { checkAttend } from './options.ts';
import { attendedSizes, segmentLengths } from './packing.ts';
import type { AttendOptions, Attention, AttentionLayerSizes, DecodingSizes, DecodingState } from './types.ts';

type Held = KeyValueCache | FavorState | NearFieldState;

/** All keys and values below the crossover, the sums of FAVOR+ from there on. */
class AutoState implements DecodingState {
  #held: Held;

  constructor(held: Held) {
    this.#held = held;
  }

  /** Whether the constructor made `value`. False for proxies and objects that only have the prototype. */
  static is(value: unknown): value is AutoState {
    return typeof value === 'object' && value !== null && #held in value;
  }

  get held(): Held {
    return this.#held;
  }

  set held(held: Held) {
    this.#held = held;
  }

  /** @throws ConfigurationError when some states are below the crossover and some beyond, or as stacking either kind does. */
  static stack(states: readonly AutoState[]): AutoState {
    checkArguments('AutoState.stack', { states }, { states: option.listOf(autoStateKind) });
    const held = states.map((state) => state.held);
    const caches = held.filter((state) => state instanceof KeyValueCache);
    const sums = held.filter((state) => state instanceof FavorState);
    const near = held.filter((state) => state instanceof NearFieldState);
    if (![caches, sums, near].some(({ length }) => length === held.length)) {
      throw new ConfigurationError(
        'stack: some sequences are below the crossover and some beyond; stack those on one side of it.',
      );
    }
    if (near.length > 0) return new AutoState(NearFieldState.stack(near));
    return new AutoState(caches.length > 0 ? KeyValueCache.stack(caches) : FavorState.stack(sums));
  }

  get sizes(): DecodingSizes {
    return this.held.sizes;
  }

  get position(): number {
    return this.held.position;
  }

  slice(start: number, end: number): AutoState {
    return new AutoState(this.held.slice(start, end));
  }

  clone(): AutoState {
    return new AutoState(this.held.clone());
  }

  async save(): Promise<SavedState> {
    return this.held.save();
  }

  dispose(): void {
    this.held.dispose();
  }
}

const autoStateKind: OptionKind = option.made('a state of attention "auto"', AutoState.is);

/**
 * Exact attention below the length at which FAVOR+ becomes faster on this backend, FAVOR+ from there on. The length is
 * {@link crossoverLength}, or the configuration's `crossover`. The choice depends on lengths alone: the longest sequence
 * decides for all of a call. With cross-attention, the length is that at which as many queries as keys would cost the
 * same.
 *
 * While decoding, keys and values are kept until the past and the new positions reach the crossover. Then they are
 * folded into the sums of FAVOR+, and from there on the outputs are those of FAVOR+ over the whole past.
 */
export class AutoAttention implements Attention<AutoState> {
  readonly #exact: ExactAttention;
  readonly #favor: FavorAttention | NearFieldAttention;

  constructor(
    readonly backend: Backend,
    readonly configuration: AutoConfiguration,
    sizes: Pick<AttentionLayerSizes, 'dHead' | 'numHeads'>,
    random: Random,
  ) {
    this.#exact = new ExactAttention(backend);
    this.#favor = createFavor(backend, configuration, sizes, random);
  }

  /** First length that FAVOR+ takes. */
  crossover(causal: boolean): number {
    return (
      this.configuration.crossover ??
      crossoverLength(this.backend.name, this.#favor.features.numFeatures, causal, this.configuration.nearField?.block)
    );
  }

  attend(queries: Tensor, keys: Tensor, values: Tensor, options: AttendOptions = {}): Tensor {
    checkAttend('AutoAttention.attend', { queries, keys, values }, options);
    const isLong = longestSequence(queries, keys, options) >= this.crossover(options.causal ?? false);
    return (isLong ? this.#favor : this.#exact).attend(queries, keys, values, options);
  }

  createState(sizes: DecodingSizes): AutoState {
    return new AutoState(this.#exact.createState(sizes));
  }

  restoreState(saved: SavedState | SavedStateJson): AutoState {
    const parsed = parseSavedState(saved);
    return new AutoState((parsed.type === 'exact' ? this.#exact : this.#favor).restoreState(parsed));
  }

  stackStates(states: readonly AutoState[]): AutoState {
    return AutoState.stack(states);
  }

  extend(queries: Tensor, keys: Tensor, values: Tensor, state: AutoState): Tensor {
    checkStep('AutoAttention.extend', state, autoStateKind, { queries, keys, values });
    this.expect(state, queries.shape[1]);
    const { held } = state;
    return held instanceof KeyValueCache
      ? this.#exact.extend(queries, keys, values, held)
      : (this.#favor as Attention).extend(queries, keys, values, held);
  }

  expect(state: AutoState, length: number): void {
    const { held } = state;
    if (!(held instanceof KeyValueCache) || held.position + length < this.crossover(true)) return;
    state.held = this.#favor.stateAfter(held.keys, held.values, held.position);
    held.dispose();
  }

  parameters(): Map<string, Tensor> {
    return this.#favor instanceof FavorAttention ? new Map() : this.#favor.parameters();
  }

  buffers(): Map<string, Tensor> {
    return this.#favor.buffers();
  }

  redraw(random: Random): void {
    this.#favor.redraw(random);
  }

  dispose(): void {
    this.#favor.dispose();
  }
}

function longestSequence(queries: Tensor, keys: Tensor, options: AttendOptions): number {
  const { lengthQ, lengthK } = attendedSizes(queries, keys, options);
  const { segments, keySegments } = options;
  const sequences = segments ? segmentLengths(segments, keySegments) : [[lengthQ, lengthK]];
  // Exact attention costs as lengthQ·lengthK, FAVOR+ as (lengthQ + lengthK)/2.
  return sequences.reduce((longest, [q, k]) => Math.max(longest, q + k === 0 ? 0 : (2 * q * k) / (q + k)), 0);
}
