import type { AttentionLayout, Backend } from '../backend/types.ts';
import { type OptionKind, option } from '../base/options.ts';
import type { Random } from '../base/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { SavedState, SavedStateJson } from './decoding/saved-state.ts';

/**
 * Ids of packed sequences, one array per batch row. Neighbouring positions with equal ids form one sequence that
 * attends only within itself. A negative id is padding.
 */
export type Segments = readonly ArrayLike<number>[];

/** Which keys count: a tensor `[batch, lengthK]` of ones and zeros, or one array of them per batch row. */
export type KeyMask = Tensor | readonly ArrayLike<number>[];

/** Options common to every attention. */
export interface AttendOptions {
  /** Query i sees only keys j ≤ i + offset of its sequence. Default false. */
  readonly causal?: boolean | undefined;
  /**
   * With `causal`: any integer. Default: lengthK − lengthQ of each sequence, so that the last query of a sequence sees
   * all its keys.
   */
  readonly offset?: number | undefined;
  /**
   * Divide every row by its sum over the keys. Default true; false gives `Σ_j K(q, k_j) v_j`, which may overflow where
   * queries and keys are long.
   */
  readonly normalised?: boolean | undefined;
  /** `bhld` = `[batch, heads, length, d]` (default) or `blhd` = `[batch, length, heads, d]`. */
  readonly layout?: AttentionLayout;
  /** 1 = valid key, 0 = masked, such as padding: a masked key takes part neither in a row's sum nor in its divisor. */
  readonly keyMask?: KeyMask | undefined;
  /** Packed or padded sequences that attend only within themselves. */
  readonly segments?: Segments | undefined;
  /** With `segments`: those of the keys, when they differ from those of the queries. */
  readonly keySegments?: Segments | undefined;
}

/** What an attention is made for. */
export interface AttentionLayerSizes {
  readonly numHeads: number;
  /** Width of a head. */
  readonly dHead: number;
  /** Longest sequence, in tokens, that the layer must take. */
  readonly maxLength: number;
}

/** Sizes of one attention layer's decoding state. */
export interface DecodingSizes {
  readonly batch: number;
  readonly heads: number;
  readonly dHead: number;
  readonly dValue: number;
}

/** The past as one attention layer remembers it while decoding. The caller disposes it. */
export interface DecodingState {
  readonly sizes: DecodingSizes;
  /** Tokens seen. */
  readonly position: number;
  /** A copy of batch rows `start … end − 1`. @throws unless there is at least one and all exist. */
  slice(start: number, end: number): DecodingState;
  /** An independent copy, such as for another continuation. */
  clone(): DecodingState;
  /** A copy of the numbers, to store or send. */
  save(): Promise<SavedState>;
  dispose(): void;
}

/**
 * One signature for every attention: the Transformer is written against this, and a configuration value chooses.
 *
 * @typeParam State the attention's own decoding state
 */
export interface Attention<State extends DecodingState = DecodingState> {
  readonly backend: Backend;
  /** The queries serve as keys too, so that a layer around this attention projects no keys. Default false. */
  readonly sharesKeys?: boolean;
  /**
   * @param queries `[batch, heads, lengthQ, dHead]`
   * @param keys `[batch, heads, lengthK, dHead]`
   * @param values `[batch, heads, lengthK, dValue]`
   * @returns `[batch, heads, lengthQ, dValue]`; differentiable
   */
  attend(queries: Tensor, keys: Tensor, values: Tensor, options?: AttendOptions): Tensor;
  /** An empty past. */
  createState(sizes: DecodingSizes): State;
  /**
   * The state that was saved, also one that came as JSON.
   *
   * @throws one sentence when it is damaged or belongs to another attention.
   */
  restoreState(saved: SavedState | SavedStateJson): State;
  /**
   * One state whose batch rows are those of `states`, in order: sequences that continue together. `states` stay as they
   * are.
   *
   * @throws ConfigurationError when their sizes do not fit, or exact states differ in position.
   */
  stackStates(states: readonly State[]): State;
  /**
   * Causal attention of new positions to the past and to themselves; the state then includes them. Axes
   * `[batch, length, heads, d]`, any length ≥ 1. A prompt and a single token are called alike.
   */
  extend(queries: Tensor, keys: Tensor, values: Tensor, state: State): Tensor;
  /**
   * Says that `length` positions follow, perhaps in several calls of {@link extend}, which give what a single call
   * would.
   */
  expect?(state: State, length: number): void;
  /** Positions in several calls of {@link extend} give other numbers than in a single one. Default false. */
  readonly extendsWhole?: boolean;
  /** Another attention can take the place of this one in a trained model, and the reverse. Default true. */
  readonly isReplaceable?: boolean;
  /** Tensors that are trained, by name; none if absent. */
  parameters?(): Map<string, Tensor>;
  /** Tensors that belong in a checkpoint but are not trained. */
  buffers(): Map<string, Tensor>;
  /** Draws new random features, from `random` alone. */
  redraw(random: Random): void;
  dispose(): void;
}

export const layerSizesKind: OptionKind = option.having('sizes of a layer', {
  numHeads: option.count,
  dHead: option.count,
  maxLength: option.count,
});

/** Which state an attention takes is checked by the attention. Written out because a token passes here for every layer. */
export const decodingStateKind: OptionKind = {
  wanted: 'a state of decoding',
  accepts: (value) =>
    typeof value === 'object' &&
    value !== null &&
    ['slice', 'clone', 'save', 'dispose'].every((name) => typeof (value as Row)[name] === 'function'),
};

type Row = Readonly<Record<string, unknown>>;
