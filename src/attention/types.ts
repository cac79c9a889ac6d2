import type { AttentionLayout } from '../backend/types.ts';
import type { Random } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Segments } from './runs.ts';

/** Options common to every attention. */
export interface AttendOptions {
  /** Query i sees only keys j ≤ i + offset of its sequence. Default false. */
  readonly causal?: boolean | undefined;
  /** With `causal`: any integer. Default: lengthK − lengthQ of each sequence, so that its last query sees all its keys. */
  readonly offset?: number | undefined;
  /**
   * Divide every row by its sum over the keys. Default true; false gives `Σ_j K(q, k_j) v_j`, which may overflow where
   * queries and keys are long.
   */
  readonly normalised?: boolean | undefined;
  /** `bhld` = `[batch, heads, length, d]` (default) or `blhd` = `[batch, length, heads, d]`. */
  readonly layout?: AttentionLayout;
  /** `[batch, lengthK]`, 1 = valid key, 0 = masked. */
  readonly keyMask?: Tensor;
  /** Packed or padded sequences that attend only within themselves. */
  readonly segments?: Segments;
  /** Segments of the keys, when they differ from those of the queries. */
  readonly keySegments?: Segments;
}

/** Sizes of one attention layer's decoding state. */
export interface DecodingSizes {
  readonly batch: number;
  readonly heads: number;
  readonly dHead: number;
  readonly dValue: number;
}

/** The past as one attention layer remembers it while decoding. */
export interface DecodingState {
  /** Tokens seen. */
  readonly position: number;
  /** A copy of the numbers, to store or send. */
  save(): Promise<SavedState>;
  dispose(): void;
}

/** A decoding state as plain data: restore it with the attention's `restoreState`. */
export interface SavedState {
  readonly type: 'exact' | 'favor';
  readonly position: number;
  readonly sizes: DecodingSizes;
  readonly arrays: Readonly<Record<string, Float32Array>>;
}

/**
 * One signature for every attention: the Transformer is written against this, and a configuration value chooses.
 *
 * @typeParam State the attention's own decoding state
 */
export interface Attention<State extends DecodingState = DecodingState> {
  /**
   * @param queries `[batch, heads, lengthQ, dHead]`
   * @param keys `[batch, heads, lengthK, dHead]`
   * @param values `[batch, heads, lengthK, dValue]`
   * @returns `[batch, heads, lengthQ, dValue]`; differentiable
   */
  attend(queries: Tensor, keys: Tensor, values: Tensor, options?: AttendOptions): Tensor;
  /** An empty past. */
  createState(sizes: DecodingSizes): State;
  restoreState(saved: SavedState): State;
  /**
   * Causal attention of new positions to the past and to themselves; the state then includes them. Axes
   * `[batch, length, heads, d]`; any length ≥ 1, so a prompt and a single token go the same way.
   */
  extend(queries: Tensor, keys: Tensor, values: Tensor, state: State): Tensor;
  /** Tensors that belong in a checkpoint but are not trained. */
  buffers(): Map<string, Tensor>;
  /** Draws new random features, from `random` alone. */
  redraw(random: Random): void;
  dispose(): void;
}
