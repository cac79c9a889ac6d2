import type { Backend, FavorStateArrays } from '../../backend/types.ts';
import { ConfigurationError } from '../../base/errors.ts';
import { checkArguments, describe, type OptionKind, option } from '../../base/options.ts';
import { keep } from '../../tensor/scope.ts';
import { backendKind, Tensor } from '../../tensor/tensor.ts';
import type { DecodingSizes, DecodingState } from '../types.ts';
import { checkArray, decodingSizesKind, parseSavedState, type SavedState } from './saved-state.ts';

/**
 * The past in constant size: for every (batch, head), `Σ_j φ(k_j)[v_j, 1]` with one power-of-two scale per feature.
 * `sums` and `compensation` (low-order parts) are `[batch, heads, numFeatures, dValue + 1]`, `scales` (integers, base
 * 2) `[batch, heads, numFeatures]`. The true sum is `(sums + compensation)·2^scale`.
 */
export class FavorState implements DecodingState {
  readonly #tensors: readonly [sums: Tensor, compensation: Tensor, scales: Tensor];
  #positions: readonly number[];

  /** Whether the constructor made `value`. False for proxies and objects that only have the prototype. */
  static is(value: unknown): value is FavorState {
    return typeof value === 'object' && value !== null && #tensors in value;
  }

  private constructor(
    readonly backend: Backend,
    readonly sizes: DecodingSizes,
    readonly numFeatures: number,
    positions?: readonly number[],
  ) {
    checkArguments(
      'FavorState',
      { backend, sizes, numFeatures },
      { backend: backendKind, sizes: decodingSizesKind, numFeatures: option.count },
    );
    const { batch, heads, dValue } = sizes;
    const shape = [batch, heads, numFeatures];
    const sums = [...shape, dValue + 1];
    this.#tensors = [
      keep(Tensor.empty(backend, sums)),
      keep(Tensor.empty(backend, sums)),
      keep(Tensor.empty(backend, shape)),
    ];
    this.#positions = positions ?? new Array(batch).fill(0);
  }

  /** The state before any token. */
  static empty(backend: Backend, sizes: DecodingSizes, numFeatures: number): FavorState {
    const state = new FavorState(backend, sizes, numFeatures);
    const { sums, compensation, scales } = state.arrays;
    backend.fill(sums, 0);
    backend.fill(compensation, 0);
    backend.fill(scales, Number.NEGATIVE_INFINITY);
    return state;
  }

  /** @throws ConfigurationError when the state is one of exact attention, or its arrays do not fit its sizes. */
  static restore(backend: Backend, given: SavedState): FavorState {
    const saved = parseSavedState(given);
    if (saved.type !== 'favor') {
      throw new ConfigurationError(
        'This state is one of exact attention: restore it with the attention that saved it.',
      );
    }
    const { sizes, positions, arrays } = saved;
    const { batch, heads, dValue } = sizes;
    const numFeatures = Math.max(1, Math.floor(arrays.scales.length / (batch * heads)));
    const length = batch * heads * numFeatures;
    checkArray('scales', arrays.scales, length);
    checkArray('sums', arrays.sums, length * (dValue + 1));
    checkArray('compensation', arrays.compensation, length * (dValue + 1));
    const state = new FavorState(backend, sizes, numFeatures, positions);
    backend.write(state.arrays.sums, arrays.sums);
    backend.write(state.arrays.compensation, arrays.compensation);
    backend.write(state.arrays.scales, arrays.scales);
    return state;
  }

  /**
   * One state whose batch rows are those of `states`, in order; these stay as they are. Their positions may differ.
   *
   * @throws ConfigurationError when the states differ in heads, widths or number of features, or the list is empty.
   */
  static stack(states: readonly FavorState[]): FavorState {
    checkArguments('FavorState.stack', { states }, { states: option.listOf(favorStateKind) });
    const sizes = stackedSizes(states);
    const [{ backend, numFeatures }] = states;
    if (states.some((state) => state.numFeatures !== numFeatures)) {
      throw new ConfigurationError(
        'stack: the states have different numbers of features; stack states of one attention.',
      );
    }
    const positions = states.flatMap((state) => state.positions);
    const stacked = new FavorState(backend, sizes, numFeatures, positions);
    stacked.#tensors.forEach((target, i) => {
      let start = 0;
      for (const state of states) {
        const source = state.#tensors[i];
        backend.copy(source.storage, backend.slice(target.storage, start, source.size));
        start += source.size;
      }
    });
    return stacked;
  }

  /** Tokens seen, by all batch rows alike. @throws ConfigurationError when they differ: see `positions`. */
  get position(): number {
    return commonPosition(this.#positions);
  }

  /** Tokens seen by each batch row. */
  get positions(): readonly number[] {
    return this.#positions;
  }

  get arrays(): FavorStateArrays {
    const [sums, compensation, scales] = this.#tensors;
    return { sums: sums.storage, compensation: compensation.storage, scales: scales.storage };
  }

  /** Counts `length` more tokens, which the caller adds to the arrays. */
  advance(length: number): void {
    checkArguments('FavorState.advance', { length }, { length: option.natural });
    this.#positions = this.#positions.map((position) => position + length);
  }

  slice(start: number, end: number): FavorState {
    const sizes = slicedSizes(this.sizes, start, end);
    const part = new FavorState(this.backend, sizes, this.numFeatures, this.#positions.slice(start, end));
    part.#tensors.forEach((target, i) => {
      const source = this.#tensors[i];
      const row = source.size / this.sizes.batch;
      this.backend.copy(this.backend.slice(source.storage, start * row, target.size), target.storage);
    });
    return part;
  }

  clone(): FavorState {
    return this.slice(0, this.sizes.batch);
  }

  async save(): Promise<SavedState> {
    const [sums, compensation, scales] = await Promise.all(
      this.#tensors.map(async (array) => Float32Array.from(await array.data())),
    );
    const positions = [...this.#positions];
    return { type: 'favor', positions, sizes: this.sizes, arrays: { sums, compensation, scales } };
  }

  dispose(): void {
    for (const array of this.#tensors) array.dispose();
  }
}

/** Sizes of states stacked along the batch. @throws ConfigurationError when they differ otherwise, or the list is empty. */
export function stackedSizes(states: readonly DecodingState[]): DecodingSizes {
  if (states.length === 0) throw new ConfigurationError('stack: there are no states; pass at least one.');
  const [{ sizes }] = states;
  for (const name of ['heads', 'dHead', 'dValue'] as const) {
    const other = states.find((state) => state.sizes[name] !== sizes[name]);
    if (other) {
      throw new ConfigurationError(
        `stack: the states have ${name} ${sizes[name]} and ${other.sizes[name]}; stack states of one attention.`,
      );
    }
  }
  return { ...sizes, batch: states.reduce((total, state) => total + state.sizes.batch, 0) };
}

/** Sizes of batch rows `start … end − 1`. @throws ConfigurationError unless there is at least one and all exist. */
export function slicedSizes(sizes: DecodingSizes, start: number, end: number): DecodingSizes {
  const isValid = Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start < end && end <= sizes.batch;
  if (!isValid) {
    throw new ConfigurationError(
      `slice: rows ${describe(start)} to ${describe(end)} are not in a batch of ${sizes.batch}; give 0 ≤ start < end ≤ batch.`,
    );
  }
  return { ...sizes, batch: end - start };
}

/** @throws ConfigurationError when the positions of a state's batch rows differ. */
export function commonPosition(positions: readonly number[]): number {
  const [first, ...rest] = positions;
  if (rest.every((position) => position === first)) return first;
  throw new ConfigurationError(
    `The stacked sequences stand at different positions (${positions.join(', ')}): slice the state, or use a model with "positions": "none".`,
  );
}

export const favorStateKind: OptionKind = option.made('a FavorState', FavorState.is);
