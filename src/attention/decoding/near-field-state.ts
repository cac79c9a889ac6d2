import type { Backend } from '../../backend/types.ts';
import { ConfigurationError, DataError } from '../../base/errors.ts';
import { checkArguments, type OptionKind, option } from '../../base/options.ts';
import { keep } from '../../tensor/scope.ts';
import { backendKind, Tensor } from '../../tensor/tensor.ts';
import type { NearFieldConfiguration } from '../configuration.ts';
import type { DecodingSizes, DecodingState } from '../types.ts';
import { checkStep } from './check-step.ts';
import { commonPosition, FavorState, slicedSizes, stackedSizes } from './favor-state.ts';
import { checkArray, decodingSizesKind, parseSavedState, type SavedState } from './saved-state.ts';

/**
 * The past of a near field in constant size. The state holds the latest keys and values and those of the sinks. Keys
 * that are far from the next position are in the sums of FAVOR+.
 *
 * Rows are kept in whole blocks: first the blocks that hold sinks, then all from the block before that of `position` on.
 * Rows in between, already in the sums, are dropped a block at a time when space is wanted. Positions in the rows
 * differ from those in the sequence by whole blocks. The kernels therefore see the rows as a sequence of their own.
 */
export class NearFieldState implements DecodingState {
  /** Sums over the far keys; undefined where these are left out. */
  readonly far: FavorState | undefined;
  #keys: Tensor;
  #values: Tensor;
  /** Rows that count, of each batch row. */
  #rows = 0;
  /** Tokens seen by each batch row; the rows in use are the same for all. */
  #positions: readonly number[];

  /** Whether the constructor made `value`. False for proxies and objects that only have the prototype. */
  static is(value: unknown): value is NearFieldState {
    return typeof value === 'object' && value !== null && #rows in value;
  }

  private constructor(
    readonly backend: Backend,
    readonly sizes: DecodingSizes,
    readonly nearField: NearFieldConfiguration,
    far: FavorState | undefined,
    positions?: readonly number[],
  ) {
    checkArguments(
      'NearFieldState',
      { backend, sizes, nearField },
      { backend: backendKind, sizes: decodingSizesKind, nearField: option.plain },
    );
    this.far = far;
    [this.#keys, this.#values] = this.#allocate(this.#usualCapacity);
    this.#positions = positions ?? new Array(sizes.batch).fill(0);
  }

  /** The state before any token. */
  static empty(
    backend: Backend,
    sizes: DecodingSizes,
    nearField: NearFieldConfiguration,
    numFeatures: number,
  ): NearFieldState {
    const far = nearField.far === 'features' ? FavorState.empty(backend, sizes, numFeatures) : undefined;
    return new NearFieldState(backend, sizes, nearField, far);
  }

  /** @throws ConfigurationError when the state is of another attention, DataError when its rows or sums do not fit it. */
  static restore(backend: Backend, nearField: NearFieldConfiguration, given: SavedState): NearFieldState {
    const saved = parseSavedState(given);
    if (saved.type !== 'near-field') {
      throw new ConfigurationError(
        'This state is not one of a near field: restore it with the attention that saved it.',
      );
    }
    const { sizes, positions, arrays, rows } = saved;
    const { sums, compensation, scales, keys, values } = arrays;
    const { batch, heads, dHead, dValue } = sizes;
    checkSameNearField(saved.nearField, nearField);
    const isKept = positions.every((position) => rowsAfter(position, nearField) === rows);
    if (!isKept || (sums !== undefined) !== (nearField.far === 'features')) {
      throw new DataError(
        'The saved state of a near field has other rows or sums than its positions need: pass what save() gave, whole.',
      );
    }
    checkArray('keys', keys, batch * rows * heads * dHead);
    checkArray('values', values, batch * rows * heads * dValue);
    const far =
      sums && compensation && scales
        ? FavorState.restore(backend, { type: 'favor', positions, sizes, arrays: { sums, compensation, scales } })
        : undefined;
    const state = new NearFieldState(backend, sizes, nearField, far, positions);
    const write = (to: Tensor, numbers: Float32Array) => {
      const [width, wanted] = [numbers.length / batch, to.size / batch];
      for (let b = 0; b < batch; b++)
        backend.write(to.storage, numbers.subarray(b * width, (b + 1) * width), b * wanted);
    };
    write(state.#keys, keys);
    write(state.#values, values);
    state.#rows = rows;
    return state;
  }

  /**
   * One state whose batch rows are those of `states`, in order; these stay as they are. Positions may differ by whole
   * blocks.
   *
   * @throws ConfigurationError when the states differ in heads, widths, features or place in a block, or the list is
   * empty.
   */
  static stack(states: readonly NearFieldState[]): NearFieldState {
    checkArguments('NearFieldState.stack', { states }, { states: option.listOf(nearFieldStateKind) });
    const sizes = stackedSizes(states);
    const [{ backend, nearField }] = states;
    for (const state of states) {
      checkSameNearField(state.nearField, nearField);
      state.#compact();
    }
    const [{ rows }] = states;
    if (states.some((state) => state.rows !== rows)) {
      throw new ConfigurationError(
        `stack: the sequences stand at positions ${states.flatMap(({ positions }) => positions).join(', ')}; with a near field, stack those that are equally far into a block of ${nearField.block}.`,
      );
    }
    const fars = states.map(({ far }) => far).filter((far) => far !== undefined);
    const far = fars.length > 0 ? FavorState.stack(fars) : undefined;
    const positions = states.flatMap((state) => state.positions);
    const stacked = new NearFieldState(backend, sizes, nearField, far, positions);
    let row = 0;
    for (const state of states) {
      for (let b = 0; b < state.sizes.batch; b++) stacked.#copyRow(state, b, row++);
    }
    stacked.#rows = rows;
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

  /** `[batch, capacity, heads, dHead]`, of which `rows` rows count. */
  get keys(): Tensor {
    return this.#keys;
  }

  /** `[batch, capacity, heads, dValue]` likewise. */
  get values(): Tensor {
    return this.#values;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Appends the first `length` rows of `[batch, …, heads, d]`; the caller then adds to `far` what has become far. */
  append(keys: Tensor, values: Tensor, length = keys.shape[1]): void {
    checkStep('NearFieldState.append', this, nearFieldStateKind, { keys, values });
    checkArguments('NearFieldState.append', { length }, { length: option.upTo(keys.shape[1]) });
    if (this.#rows + length > this.#capacity) this.#compact(length);
    for (let b = 0; b < this.sizes.batch; b++) {
      this.#copyRows(keys, b, 0, this.#keys, b, this.#rows, length);
      this.#copyRows(values, b, 0, this.#values, b, this.#rows, length);
    }
    this.#rows += length;
    this.#positions = this.#positions.map((position) => position + length);
    this.far?.advance(length);
  }

  slice(start: number, end: number): NearFieldState {
    const sizes = slicedSizes(this.sizes, start, end);
    this.#compact();
    const far = this.far?.slice(start, end);
    const part = new NearFieldState(this.backend, sizes, this.nearField, far, this.#positions.slice(start, end));
    for (let b = start; b < end; b++) part.#copyRow(this, b, b - start);
    part.#rows = this.#rows;
    return part;
  }

  clone(): NearFieldState {
    return this.slice(0, this.sizes.batch);
  }

  async save(): Promise<SavedState> {
    this.#compact();
    const { sizes } = this;
    const [rows, positions] = [this.#rows, [...this.#positions]];
    const far = this.far?.save();
    const [keys, values] = await Promise.all(
      [this.#keys, this.#values].map(async (buffer) => {
        const [width, wanted] = [buffer.size / sizes.batch, buffer.shape[2] * buffer.shape[3] * rows];
        const data = await buffer.data();
        const packed = new Float32Array(sizes.batch * wanted);
        for (let b = 0; b < sizes.batch; b++) packed.set(data.subarray(b * width, b * width + wanted), b * wanted);
        return packed;
      }),
    );
    const saved = await far;
    const sums = saved?.type === 'favor' ? saved.arrays : {};
    return { type: 'near-field', nearField: this.nearField, positions, rows, sizes, arrays: { ...sums, keys, values } };
  }

  dispose(): void {
    this.#keys.dispose();
    this.#values.dispose();
    this.far?.dispose();
  }

  get #capacity(): number {
    return this.#keys.shape[1];
  }

  /** Two blocks are near; two more make room for as many tokens before rows are moved. */
  get #usualCapacity(): number {
    return sinkRows(this.nearField) + 4 * this.nearField.block;
  }

  #allocate(capacity: number): [Tensor, Tensor] {
    const { batch, heads, dHead, dValue } = this.sizes;
    return [
      keep(Tensor.empty(this.backend, [batch, capacity, heads, dHead])),
      keep(Tensor.empty(this.backend, [batch, capacity, heads, dValue])),
    ];
  }

  /** Drops the rows that no later token is near, and leaves space for `length` rows. */
  #compact(length = 0): void {
    const [front, rows] = [sinkRows(this.nearField), rowsAfter(this.#rows, this.nearField)];
    const capacity = Math.max(this.#usualCapacity, rows + length);
    if (rows === this.#rows && capacity === this.#capacity) return;
    const [keys, values] = this.#allocate(capacity);
    const tail = rows - Math.min(front, rows);
    for (const [from, to] of [
      [this.#keys, keys],
      [this.#values, values],
    ]) {
      for (let b = 0; b < this.sizes.batch; b++) {
        this.#copyRows(from, b, 0, to, b, 0, rows - tail);
        this.#copyRows(from, b, this.#rows - tail, to, b, rows - tail, tail);
      }
      from.dispose();
    }
    [this.#keys, this.#values, this.#rows] = [keys, values, rows];
  }

  /** Copies batch row `fromRow` of `from` to batch row `toRow`. */
  #copyRow(from: NearFieldState, fromRow: number, toRow: number): void {
    this.#copyRows(from.#keys, fromRow, 0, this.#keys, toRow, 0, from.#rows);
    this.#copyRows(from.#values, fromRow, 0, this.#values, toRow, 0, from.#rows);
  }

  #copyRows(
    from: Tensor,
    fromRow: number,
    fromStart: number,
    to: Tensor,
    toRow: number,
    toStart: number,
    length: number,
  ): void {
    if (length === 0) return;
    const width = from.shape[2] * from.shape[3];
    const at = (tensor: Tensor, row: number, start: number) => (row * tensor.shape[1] + start) * width;
    this.backend.copy(
      this.backend.slice(from.storage, at(from, fromRow, fromStart), length * width),
      this.backend.slice(to.storage, at(to, toRow, toStart), length * width),
    );
  }
}

export const nearFieldStateKind: OptionKind = option.made('a NearFieldState', NearFieldState.is);

/** Rows of the blocks that hold sinks. */
function sinkRows({ block, sinks }: NearFieldConfiguration): number {
  return Math.ceil(sinks / block) * block;
}

/** How many rows stay of `rows`, or after so many tokens: those of the sinks' blocks, and all from the last block but one on. */
function rowsAfter(rows: number, nearField: NearFieldConfiguration): number {
  const { block } = nearField;
  const front = sinkRows(nearField);
  const tailStart = Math.max(0, Math.floor(rows / block) - 1) * block;
  return tailStart <= front ? rows : front + rows - tailStart;
}

/**
 * Checks what a state was made with; the mass makes no difference to states.
 *
 * @throws ConfigurationError when the blocks, the sinks or the far keys differ.
 */
export function checkSameNearField(given: NearFieldConfiguration, wanted: NearFieldConfiguration): void {
  if ((['block', 'sinks', 'far'] as const).every((name) => given[name] === wanted[name])) return;
  throw new ConfigurationError(
    'This state is of another near field (block, sinks or far): use it with the attention that made it.',
  );
}
