import type { FeatureSearch } from './num-features.ts';

/** How far an estimate is from exact attention. Queries that see no valid key are left out of all means. */
export interface ApproximationError {
  /** ‖out − exact‖/‖exact‖: 0 is exact, 1 as wrong as returning zeros. */
  readonly outputError: number;
  /**
   * ½Σ_j |Â_ij − A_ij| of a row, over rows: the share of the attention that is on the wrong keys, 0 to 1 if the estimated
   * rows are positive.
   */
  readonly totalVariation: { readonly mean: number; readonly median: number; readonly worst: number };
  /**
   * How far rows are from plain averaging: the mean of ½Σ_j |A_ij − 1/n| over the n keys that a query sees, of the
   * estimated and of the exact rows. Noise raises the estimate's; only bias lowers it.
   */
  readonly contrast: { readonly estimated: number; readonly exact: number };
  /**
   * Features that decide a row: (Σ_r |w_r|)²/Σ_r w_r² for the parts w_r of its divisor, 1 to numFeatures, mean over rows. Where
   * the features estimate softmax, the divisor's relative variance is about the inverse of this.
   */
  readonly effectiveFeatures: number;
  /** Share of rows, 0 to 1, whose divisor is negative: their estimate has the wrong sign. */
  readonly negativeDenominators: number;
  /** Mean of ‖x̂ + ŷ‖²/dHead over all queries and valid keys scaled by dHead^(−1/4): what FAVOR++ takes as its p. */
  readonly p: number;
}

export interface HeadReport extends ApproximationError {
  readonly batch: number;
  readonly head: number;
}

/** Plain data: survives JSON. */
export interface ApproximationReport extends ApproximationError {
  readonly numFeatures: number;
  /** Whether the features estimate softmax at all; those of a generalised map estimate a kernel of their own. */
  readonly estimatesSoftmax: boolean;
  /** Positions of the queries that were measured, in every batch row and head. */
  readonly rows: readonly number[];
  readonly heads: readonly HeadReport[];
  /** One sentence each; empty if nothing looks wrong. */
  readonly warnings: readonly string[];
  /** If it was asked for. */
  readonly smallestNumFeatures?: FeatureSearch;
}
