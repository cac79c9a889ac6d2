/** Generated from kernels/description.mjs by scripts/generate-kernels.mjs: change the description, then build. */
import type { Storage } from './storage.ts';

export const MAX_ARGUMENTS = 36;
export const SEQUENCE_COLUMNS = 6;
export const SNAPSHOT_KEYS = 256;
export const NORM_BLOCK = 65536;
export const MAX_SIZE = 2147483647;
export const MAX_HEAD_WIDTH = 65536;
export const MAX_BLOCK = 16777216;
export const MAX_AXES = 8;
export const MAX_ITERATIONS = 10000000;

/** Axes of attention arrays: [batch, heads, length, d] or [batch, length, heads, d]. */
export const attentionLayouts = ['bhld', 'blhd'] as const;
export type AttentionLayout = (typeof attentionLayouts)[number];

/** ReLU, gelu by erf, gelu in its tanh form, tanh, exp, natural logarithm. */
export const unaryKinds = ['relu', 'gelu', 'geluTanh', 'tanh', 'exp', 'log'] as const;
export type UnaryKind = (typeof unaryKinds)[number];

/** Sum, difference, product and quotient of two numbers. */
export const binaryKinds = ['add', 'subtract', 'multiply', 'divide'] as const;
export type BinaryKind = (typeof binaryKinds)[number];

/** With u = W x̂ + bias, x̂ = x·dHead^(−1/4) and D = ‖x̂‖²/2: `exponential` is exp(u − D), `sine` is sin(u)·exp(D). The others are f(u) + epsilon (gelu by erf). */
export const featureMapKinds = [
  'exponential',
  'sine',
  'relu',
  'exp',
  'sigmoid',
  'abs',
  'gelu',
  'cos',
  'tanh',
  'identity',
  'eluPlusOne',
  'square',
] as const;
export type FeatureMapKind = (typeof featureMapKinds)[number];

/** How a projection W is stored. Feature r has the direction r mod directions (directions = numFeatures if they are not stacked). `dense`: W [numFeatures, dHead]; factors unused. `hadamard`: blocks of P rows, P the least power of two ≥ dHead; the last block is cut. There u = lengths ∘ (H D_factors … H D_1 x̂), with x̂ padded with zeros to P. H is the Walsh–Hadamard matrix with entries ±1 in Sylvester’s order. Stored are the diagonals D [blocks, factors, P], then lengths [numFeatures]. `givens`: blocks of dHead rows; the last block is cut. There u = lengths ∘ (R_factors … R_1 x̂). A rotation R takes (x_i, x_j) to (cos·x_i − sin·x_j, sin·x_i + cos·x_j). Stored are rotations [blocks, factors, 4] of rows {i, j, cos, sin}, i and j whole numbers, then lengths [numFeatures]. No factors and lengths of 1 mean no projection at all. */
export const projectionForms = ['dense', 'hadamard', 'givens'] as const;
export type ProjectionForm = (typeof projectionForms)[number];

/** Sizes of an attention. */
export interface AttentionSizes {
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Number of heads. */
  readonly heads: number;
  /** Queries of a batch row. */
  readonly lengthQ: number;
  /** Keys of a batch row. */
  readonly lengthK: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Width of values; may differ from dHead. */
  readonly dValue: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
}

/** What every attention but LSH takes. */
export interface AttentionArrays {
  /** float32 `[batchQ, heads, lengthQ, dHead]`, read: queries. */
  readonly q: Storage;
  /** float32 `[batchK, heads, lengthK, dHead]`, read: keys. */
  readonly k: Storage;
  /** float32 `[batchK, heads, lengthK, dValue]`, read: values. */
  readonly v: Storage;
  /** float32 `[batchK, lengthK]`, read: 1 = valid, 0 = masked, shared by all heads. */
  readonly keyMask?: Storage | undefined;
  /** int32 `[numSequences, SEQUENCE_COLUMNS]`, read: rows {batch, queryStart, queryLength, keyStart, keyLength, offset}. */
  readonly sequences: Storage;
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Number of heads. */
  readonly heads: number;
  /** Queries of a batch row. */
  readonly lengthQ: number;
  /** Keys of a batch row. */
  readonly lengthK: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Width of values; may differ from dHead. */
  readonly dValue: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
}

/** Gradients of an attention. Rows outside every sequence are left as they were. */
export interface AttentionGradients {
  /** float32 `[batchQ, heads, lengthQ, dValue]`, read: the result. */
  readonly out: Storage;
  /** float32 `[batchQ, heads, lengthQ, dValue]`, read: gradient of out. */
  readonly dOut: Storage;
  /** float32 `[batchQ, heads, lengthQ, dHead]`, written: gradient of q. */
  readonly dQ: Storage;
  /** float32 `[batchK, heads, lengthK, dHead]`, written: gradient of k. */
  readonly dK: Storage;
  /** float32 `[batchK, heads, lengthK, dValue]`, written: gradient of v. */
  readonly dV: Storage;
}

/** A kernel estimate K(x, y) = Σ_r φ_r(x) φ_r(y), without its numbers. */
export interface Estimator {
  /** Random features of the estimate. */
  readonly numFeatures: number;
  /** How the projection is stored. */
  readonly form: ProjectionForm;
  /** Factors of each block of a projection that is not dense, else 0. */
  readonly factors: number;
  /** Distinct directions: feature r has the direction r mod directions. */
  readonly directions: number;
  /** The function of a feature. */
  readonly map: FeatureMapKind;
  /** Added to every feature of a map other than exponential and sine. */
  readonly epsilon: number;
}

/** An estimator with its numbers. */
export interface FavorFeatures {
  /** float32 `[projectionSize]`, read: the directions: see ProjectionForm. */
  readonly projection: Storage;
  /** float32 `[numFeatures]`, read: added to every row. */
  readonly bias?: Storage | undefined;
  /** Random features of the estimate. */
  readonly numFeatures: number;
  /** How the projection is stored. */
  readonly form: ProjectionForm;
  /** Factors of each block of a projection that is not dense, else 0. */
  readonly factors: number;
  /** Distinct directions: feature r has the direction r mod directions. */
  readonly directions: number;
  /** The function of a feature. */
  readonly map: FeatureMapKind;
  /** Added to every feature of a map other than exponential and sine. */
  readonly epsilon: number;
}

/** How a row of FAVOR+ is formed. */
export interface FavorResult {
  /** 0: divide a row by its sum over the keys; otherwise out = weight·Σ_j K(q, k_j) v_j. */
  readonly weight: number;
  /** A denominator whose size is at most this gains twice this, in units of the query’s own scale. */
  readonly stabiliser: number;
}

/** The states of FAVOR+. */
export interface FavorStateArrays {
  /** float32 `[…, heads, numFeatures, dValue + 1]`, read and written: Σ φ_r(k) v over the keys; column dValue is the normaliser; the true sum is (sums + compensation)·2^scale. */
  readonly sums: Storage;
  /** float32 `[…, heads, numFeatures, dValue + 1]`, read and written: low-order parts of the sums. */
  readonly compensation: Storage;
  /** float32 `[…, heads, numFeatures]`, read and written: exponents of two that the sums are divided by, integers or −∞ before the first key. Maps other than exponential have one value for all features. */
  readonly scales: Storage;
}

/** How exact attention forms scores and rows. */
export interface SoftmaxOptions {
  /** Queries see no later key. */
  readonly causal: boolean;
  /** Multiplies q·k. */
  readonly scale: number;
  /** Divide a row by its sum over the keys. */
  readonly normalise: boolean;
  /** Positions in a block of the near field; 0: every key is near. Default 0. */
  readonly block?: number | undefined;
  /** First keys of a sequence that are near every query. Default 0. */
  readonly sinks?: number | undefined;
}

/** An exponential estimator with its numbers, for the far field. */
export interface FarFieldFeatures {
  /** float32 `[projectionSize]`, read: the directions: see ProjectionForm. */
  readonly projection: Storage;
  /** float32 `[numFeatures]`, read: added to every row. */
  readonly bias?: Storage | undefined;
  /** Random features of the estimate. */
  readonly numFeatures: number;
  /** How the projection is stored. */
  readonly form: ProjectionForm;
  /** Factors of each block of a projection that is not dense, else 0. */
  readonly factors: number;
  /** Distinct directions: feature r has the direction r mod directions. */
  readonly directions: number;
}

/** Which keys are near a query; see the conventions. */
export interface NearField {
  /** Positions in a block of the near field; 0: every key is near. Default 0. */
  readonly block?: number | undefined;
  /** First keys of a sequence that are near every query. Default 0. */
  readonly sinks?: number | undefined;
}

/** What the kernels of LSH attention share. */
export interface LshArrays {
  /** float32 `[batch, heads, length, dHead]`, read: queries. */
  readonly q: Storage;
  /** float32 `[batch, heads, length, dValue]`, read: values. */
  readonly v: Storage;
  /** float32 `[batch, length]`, read: 1 = valid, 0 = masked, shared by all heads. */
  readonly keyMask?: Storage | undefined;
  /** int32 `[numSequences, SEQUENCE_COLUMNS]`, read: rows {batch, queryStart, queryLength, keyStart, keyLength, offset}. */
  readonly sequences: Storage;
  /** int32 `[numHashes, batch, heads, length]`, read: the position, within its sequence, in every slot of the sequence’s sorted order. */
  readonly order: Storage;
  /** int32 `[numHashes, batch, heads, length]`, read: chunks by position. In a hash, query i sees key j if 0 ≤ chunks[i] − chunks[j] ≤ 1, j is valid, and j < i (causal) or j ≠ i. */
  readonly chunks: Storage;
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Entries side by side. */
  readonly batch: number;
  /** Number of heads. */
  readonly heads: number;
  /** Positions of a batch row. */
  readonly length: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Width of values; may differ from dHead. */
  readonly dValue: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
  /** Queries see no later key. */
  readonly causal: boolean;
  /** Most positions in a chunk. */
  readonly chunkLength: number;
  /** Rounds of hashing. */
  readonly numHashes: number;
}

/** c[i] = alpha·op(a[i]) op(b[i]) + bias (+ c[i] if accumulate), row-major. */
export interface GemmArguments {
  /** float32 `[batch, (transposeA ? k : m), transposeA ? m : k]`, read: first operand. */
  readonly a: Storage;
  /** float32 `[batch, (transposeB ? n : k), transposeB ? k : n]`, read: second operand. */
  readonly b: Storage;
  /** float32 `[batch, m, n]`, read and written: the product. */
  readonly c: Storage;
  /** float32 `[n]`, read: added to every row. */
  readonly bias?: Storage | undefined;
  /** Rows of c. */
  readonly m: number;
  /** Columns of c. */
  readonly n: number;
  /** Inner length. */
  readonly k: number;
  /** A is [k, m]. Default false. */
  readonly transposeA?: boolean | undefined;
  /** B is [n, k]. Default false. */
  readonly transposeB?: boolean | undefined;
  /** Entries side by side. Default 1. */
  readonly batch?: number | undefined;
  /** Elements from a row of a to the next. Default transposeA ? m : k. */
  readonly lda?: number | undefined;
  /** Elements from a row of b to the next. Default transposeB ? k : n. */
  readonly ldb?: number | undefined;
  /** Elements from a row of c to the next. Default n. */
  readonly ldc?: number | undefined;
  /** Elements from an entry of a to the next; 0: shared. Default (transposeA ? k : m) * lda. */
  readonly strideA?: number | undefined;
  /** Elements from an entry of b to the next; 0: shared. Default (transposeB ? n : k) * ldb. */
  readonly strideB?: number | undefined;
  /** Elements from an entry of c to the next. Default m * ldc. */
  readonly strideC?: number | undefined;
  /** Factor. Default 1. */
  readonly alpha?: number | undefined;
  /** Add to the output instead of overwriting it. Default false. */
  readonly accumulate?: boolean | undefined;
}

/** The gradients of layerNorm, overwritten. */
export interface LayerNormBackwardArguments {
  /** float32 `[rows, width]`, read: what the kernel works on. */
  readonly x: Storage;
  /** float32 `[width]`, read: factors of the columns. */
  readonly gamma: Storage;
  /** float32 `[rows]`, read: of every row. */
  readonly mean: Storage;
  /** float32 `[rows]`, read: 1/√(variance + epsilon) of every row. */
  readonly inverseDeviation: Storage;
  /** float32 `[rows, width]`, read: gradient of out. */
  readonly dOut: Storage;
  /** float32 `[rows, width]`, written: gradient of x. */
  readonly dX: Storage;
  /** Number of rows. */
  readonly rows: number;
  /** Length of a row. */
  readonly width: number;
  /** float32 `[width]`, written: gradient of gamma. */
  readonly dGamma: Storage;
  /** float32 `[width]`, written: gradient of beta. */
  readonly dBeta: Storage;
}

/** Decoupled weight decay: x −= learningRate·(m̂/(√v̂ + epsilon) + weightDecay·x) with m̂ = m/correction1, v̂ = v/correction2 and the gradient times gradientScale. */
export interface AdamWArguments {
  /** float32 `[count]`, read and written: x. */
  readonly parameter: Storage;
  /** float32 `[count]`, read: of the loss in x. */
  readonly gradient: Storage;
  /** float32 `[count]`, read and written: m, the running mean of gradients. */
  readonly firstMoment: Storage;
  /** float32 `[count]`, read and written: v, the running mean of their squares. */
  readonly secondMoment: Storage;
  /** Of this step. */
  readonly learningRate: number;
  /** Decay of m. */
  readonly beta1: number;
  /** Decay of v. */
  readonly beta2: number;
  /** Added to √v̂. */
  readonly epsilon: number;
  /** Share of x that is taken off, times learningRate. */
  readonly weightDecay: number;
  /** Multiplies the gradient. */
  readonly gradientScale: number;
  /** 1-based number of this update, for the corrections. */
  readonly step: number;
}

/** out = softmax of scale·q·k̂ over the keys that any hash shows, times v. */
export interface LshAttentionArguments {
  /** float32 `[batch, heads, length, dHead]`, read: queries. */
  readonly q: Storage;
  /** float32 `[batch, heads, length, dValue]`, read: values. */
  readonly v: Storage;
  /** float32 `[batch, length]`, read: 1 = valid, 0 = masked, shared by all heads. */
  readonly keyMask?: Storage | undefined;
  /** int32 `[numSequences, SEQUENCE_COLUMNS]`, read: rows {batch, queryStart, queryLength, keyStart, keyLength, offset}. */
  readonly sequences: Storage;
  /** int32 `[numHashes, batch, heads, length]`, read: the position, within its sequence, in every slot of the sequence’s sorted order. */
  readonly order: Storage;
  /** int32 `[numHashes, batch, heads, length]`, read: chunks by position. In a hash, query i sees key j if 0 ≤ chunks[i] − chunks[j] ≤ 1, j is valid, and j < i (causal) or j ≠ i. */
  readonly chunks: Storage;
  /** float32 `[batch, heads, length, dValue]`, read and written: the result. */
  readonly out: Storage;
  /** float32 `[batch, heads, length]`, read and written: the largest score of every row, not scaled. */
  readonly references: Storage;
  /** float32 `[batch, heads, length]`, read and written: Σ exp(score − reference) of every row. */
  readonly sums: Storage;
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Entries side by side. */
  readonly batch: number;
  /** Number of heads. */
  readonly heads: number;
  /** Positions of a batch row. */
  readonly length: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Width of values; may differ from dHead. */
  readonly dValue: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
  /** Queries see no later key. */
  readonly causal: boolean;
  /** Multiplies q·k. */
  readonly scale: number;
  /** Most positions in a chunk. */
  readonly chunkLength: number;
  /** Rounds of hashing. */
  readonly numHashes: number;
}

/** Gradients of lshAttention; dQ is the gradient of q in both of its roles. */
export interface LshAttentionBackwardArguments {
  /** float32 `[batch, heads, length, dHead]`, read: queries. */
  readonly q: Storage;
  /** float32 `[batch, heads, length, dValue]`, read: values. */
  readonly v: Storage;
  /** float32 `[batch, length]`, read: 1 = valid, 0 = masked, shared by all heads. */
  readonly keyMask?: Storage | undefined;
  /** int32 `[numSequences, SEQUENCE_COLUMNS]`, read: rows {batch, queryStart, queryLength, keyStart, keyLength, offset}. */
  readonly sequences: Storage;
  /** int32 `[numHashes, batch, heads, length]`, read: the position, within its sequence, in every slot of the sequence’s sorted order. */
  readonly order: Storage;
  /** int32 `[numHashes, batch, heads, length]`, read: chunks by position. In a hash, query i sees key j if 0 ≤ chunks[i] − chunks[j] ≤ 1, j is valid, and j < i (causal) or j ≠ i. */
  readonly chunks: Storage;
  /** float32 `[batch, heads, length, dValue]`, read: the result. */
  readonly out: Storage;
  /** float32 `[batch, heads, length]`, read: the largest score of every row, not scaled. */
  readonly references: Storage;
  /** float32 `[batch, heads, length]`, read: Σ exp(score − reference) of every row. */
  readonly sums: Storage;
  /** float32 `[batch, heads, length, dValue]`, read: gradient of out. */
  readonly dOut: Storage;
  /** float32 `[batch, heads, length, dHead]`, read and written: gradient of q. */
  readonly dQ: Storage;
  /** float32 `[batch, heads, length, dValue]`, read and written: gradient of v. */
  readonly dV: Storage;
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Entries side by side. */
  readonly batch: number;
  /** Number of heads. */
  readonly heads: number;
  /** Positions of a batch row. */
  readonly length: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Width of values; may differ from dHead. */
  readonly dValue: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
  /** Queries see no later key. */
  readonly causal: boolean;
  /** Multiplies q·k. */
  readonly scale: number;
  /** Most positions in a chunk. */
  readonly chunkLength: number;
  /** Rounds of hashing. */
  readonly numHashes: number;
}

/** Bidirectional FAVOR+: fills the states from the keys, then out and denominator from the queries. */
export interface FavorArguments {
  /** float32 `[batchQ, heads, lengthQ, dHead]`, read: queries. */
  readonly q: Storage;
  /** int32 `[numSequences, SEQUENCE_COLUMNS]`, read: rows {batch, queryStart, queryLength, keyStart, keyLength, offset}. */
  readonly sequences: Storage;
  /** float32 `[projectionSize]`, read: the directions: see ProjectionForm. */
  readonly projection: Storage;
  /** float32 `[numFeatures]`, read: added to every row. */
  readonly bias?: Storage | undefined;
  /** Random features of the estimate. */
  readonly numFeatures: number;
  /** How the projection is stored. */
  readonly form: ProjectionForm;
  /** Factors of each block of a projection that is not dense, else 0. */
  readonly factors: number;
  /** Distinct directions: feature r has the direction r mod directions. */
  readonly directions: number;
  /** The function of a feature. */
  readonly map: FeatureMapKind;
  /** Added to every feature of a map other than exponential and sine. */
  readonly epsilon: number;
  /** float32 `[numSequences, heads, numFeatures, dValue + 1]`, written: Σ φ_r(k) v over the keys; column dValue is the normaliser; the true sum is (sums + compensation)·2^scale. */
  readonly sums: Storage;
  /** float32 `[numSequences, heads, numFeatures, dValue + 1]`, written: low-order parts of the sums. */
  readonly compensation: Storage;
  /** float32 `[numSequences, heads, numFeatures]`, written: exponents of two that the sums are divided by, integers or −∞ before the first key. Maps other than exponential have one value for all features. */
  readonly scales: Storage;
  /** float32 `[batchQ, heads, lengthQ, dValue]`, written: the result. */
  readonly out: Storage;
  /** float32 `[batchQ, heads, lengthQ]`, written: what the numerators were divided by; 0 for a query without a valid key. */
  readonly denominator: Storage;
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Number of heads. */
  readonly heads: number;
  /** Queries of a batch row. */
  readonly lengthQ: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Width of values; may differ from dHead. */
  readonly dValue: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
  /** 0: divide a row by its sum over the keys; otherwise out = weight·Σ_j K(q, k_j) v_j. */
  readonly weight: number;
  /** A denominator whose size is at most this gains twice this, in units of the query’s own scale. */
  readonly stabiliser: number;
  /** float32 `[batchK, heads, lengthK, dHead]`, read: keys. */
  readonly k: Storage;
  /** float32 `[batchK, heads, lengthK, dValue]`, read: values. */
  readonly v: Storage;
  /** float32 `[batchK, lengthK]`, read: 1 = valid, 0 = masked, shared by all heads. */
  readonly keyMask?: Storage | undefined;
  /** Keys of a batch row. */
  readonly lengthK: number;
}

/** out[r] = factors[r mod numFactors]·x[r]; a factor of 0 gives zeros whatever x holds; out may be the memory of x. */
export interface ScaleRowsArguments {
  /** float32 `[rows, width]`, read: what the kernel works on. */
  readonly x: Storage;
  /** float32 `[max(numFactors, min(1, rows))]`, read: one for each row, in turn. */
  readonly factors: Storage;
  /** float32 `[rows, width]`, written: the result. */
  readonly out: Storage;
  /** Number of rows. */
  readonly rows: number;
  /** Length of a row. */
  readonly width: number;
}

/** out[o, i] = Σ_l x[o, l, i] (+ out[o, i] if accumulate). */
export interface SumAxisArguments {
  /** float32 `[outer, length, inner]`, read: what the kernel works on. */
  readonly x: Storage;
  /** float32 `[outer, inner]`, read and written: the result. */
  readonly out: Storage;
  /** Product of the axes before. */
  readonly outer: number;
  /** Of the axis. */
  readonly length: number;
  /** Product of the axes behind. */
  readonly inner: number;
  /** Add to the output instead of overwriting it. Default false. */
  readonly accumulate?: boolean | undefined;
}

/** Moves every element of x to its place in out: x may repeat (stride 0), places in out may not. Integers too, whose bits are kept. */
export interface StridedCopyArguments {
  /** float32 `[span1]`, read: what the kernel works on. */
  readonly x: Storage;
  /** float32 `[span2]`, written: the result. */
  readonly out: Storage;
  /** int32 `[numAxes, 3]`, read: rows {length, stride in x, stride in out}, outermost first. */
  readonly layout: Storage;
  /** Rows of layout. */
  readonly numAxes: number;
  /** Product of the lengths. */
  readonly count: number;
}

/** out = a ∘ b, out dense; out may be the memory of an array that is dense too. */
export interface BinaryArguments {
  /** The operation ∘. */
  readonly kind: BinaryKind;
  /** float32 `[span1]`, read: first operand. */
  readonly a: Storage;
  /** float32 `[span2]`, read: second operand. */
  readonly b: Storage;
  /** float32 `[count]`, written: the result. */
  readonly out: Storage;
  /** int32 `[numAxes, 3]`, read: rows {length, stride in a, stride in b}, outermost first. */
  readonly layout: Storage;
  /** Rows of layout. */
  readonly numAxes: number;
  /** Product of the lengths. */
  readonly count: number;
}

/** out = condition ≠ 0 ? a : b, out dense; NaN is not 0, and what is not chosen has no effect. */
export interface SelectArguments {
  /** float32 `[span1]`, read: 0 chooses b. */
  readonly condition: Storage;
  /** float32 `[span2]`, read: first operand. */
  readonly a: Storage;
  /** float32 `[span3]`, read: second operand. */
  readonly b: Storage;
  /** float32 `[count]`, written: the result. */
  readonly out: Storage;
  /** int32 `[numAxes, 4]`, read: rows {length, stride in condition, stride in a, stride in b}, outermost first. */
  readonly layout: Storage;
  /** Rows of layout. */
  readonly numAxes: number;
  /** Product of the lengths. */
  readonly count: number;
}

/** Softmax of every row, or its logarithm; out may be the memory of x. NaN, ∞ or nothing but −∞ makes a row NaN. */
export interface SoftmaxArguments {
  /** float32 `[rows, width]`, read: what the kernel works on. */
  readonly x: Storage;
  /** float32 `[rows, width]`, written: the result. */
  readonly out: Storage;
  /** Number of rows. */
  readonly rows: number;
  /** Length of a row. */
  readonly width: number;
  /** Out is the logarithm. Default false. */
  readonly isLog?: boolean | undefined;
}

/** The gradient of what softmax gave; a weight of exactly 0 takes no part. dX may be the memory of dOut. */
export interface SoftmaxBackwardArguments {
  /** float32 `[rows, width]`, read: the result. */
  readonly out: Storage;
  /** float32 `[rows, width]`, read: gradient of out. */
  readonly dOut: Storage;
  /** float32 `[rows, width]`, written: gradient of x. */
  readonly dX: Storage;
  /** Number of rows. */
  readonly rows: number;
  /** Length of a row. */
  readonly width: number;
  /** Out is the logarithm. Default false. */
  readonly isLog?: boolean | undefined;
}

/** Layer norm over the last axis; mean and inverseDeviation are kept for the gradient. */
export interface LayerNormArguments {
  /** float32 `[rows, width]`, read: what the kernel works on. */
  readonly x: Storage;
  /** float32 `[width]`, read: factors of the columns. */
  readonly gamma: Storage;
  /** float32 `[width]`, read: added to the columns. */
  readonly beta: Storage;
  /** float32 `[rows, width]`, written: the result. */
  readonly out: Storage;
  /** float32 `[rows]`, written: of every row. */
  readonly mean: Storage;
  /** float32 `[rows]`, written: 1/√(variance + epsilon) of every row. */
  readonly inverseDeviation: Storage;
  /** Number of rows. */
  readonly rows: number;
  /** Length of a row. */
  readonly width: number;
  /** Added to the variance of a row. */
  readonly epsilon: number;
}

/** out[i] = table[ids[i]]. */
export interface EmbeddingArguments {
  /** float32 `[tableRows, width]`, read: a row for every id. */
  readonly table: Storage;
  /** int32 `[count]`, read: rows of the table. */
  readonly ids: Storage;
  /** float32 `[count, width]`, written: the result. */
  readonly out: Storage;
  /** Number of elements. */
  readonly count: number;
  /** Length of a row. */
  readonly width: number;
}

/** dTable[ids[i]] += dOut[i]. */
export interface EmbeddingBackwardArguments {
  /** int32 `[count]`, read: rows of the table. */
  readonly ids: Storage;
  /** float32 `[count, width]`, read: gradient of out. */
  readonly dOut: Storage;
  /** float32 `[tableRows, width]`, read and written: gradient of the table. */
  readonly dTable: Storage;
  /** Number of elements. */
  readonly count: number;
  /** Length of a row. */
  readonly width: number;
}

/** Rotates the pairs (x[2i], x[2i + 1]) of every head by (offset + position)·base^(−2i/dHead), back if inverse; out may be x. */
export interface RotaryArguments {
  /** float32 `[batch, heads, length, dHead]`, read: what the kernel works on. */
  readonly x: Storage;
  /** float32 `[batch, heads, length, dHead]`, written: the result. */
  readonly out: Storage;
  /** Entries side by side. */
  readonly batch: number;
  /** Number of heads. */
  readonly heads: number;
  /** Positions of a batch row. */
  readonly length: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
  /** Position of the first row. */
  readonly offset: number;
  /** Base of the angles of the pairs. */
  readonly base: number;
  /** Turn back. */
  readonly inverse: boolean;
}

/** out = x ∘ keep/(1 − rate). Element i is kept if word i mod 4 of Philox4x32-10 at counter i div 4 is at least rate·2³². The output may be x. */
export interface DropoutArguments {
  /** float32 `[count]`, read: what the kernel works on. */
  readonly x: Storage;
  /** float32 `[count]`, written: the result. */
  readonly out: Storage;
  /** Share of elements that become 0. */
  readonly rate: number;
  /** Low half of the seed. */
  readonly seedLow: number;
  /** High half of the seed. */
  readonly seedHigh: number;
  /** Tells calls with one seed apart. */
  readonly stream: number;
}

/** loss[r] = −log softmax(logits[r])[targets[r]]; dLogits, which may be logits, = (softmax − onehot)·gradientScale. A negative target gives 0; correct[r] is 1 if the target is the argmax. */
export interface SoftmaxCrossEntropyArguments {
  /** float32 `[rows, vocabSize]`, read: scores of the classes. */
  readonly logits: Storage;
  /** int32 `[rows]`, read: the right classes; a negative one gives no loss and no gradient. */
  readonly targets: Storage;
  /** float32 `[rows]`, written: of every row. */
  readonly loss: Storage;
  /** float32 `[rows]`, written: 1 where the largest logit is that of the target. */
  readonly correct?: Storage | undefined;
  /** float32 `[rows, vocabSize]`, written: gradient of logits. */
  readonly dLogits?: Storage | undefined;
  /** Number of rows. */
  readonly rows: number;
  /** Number of classes. */
  readonly vocabSize: number;
  /** Multiplies the gradient. */
  readonly gradientScale: number;
}

/** loss[r] = KL(p ‖ q) in nats, p = softmax(targets[r]·inverseTemperature), q that of logits; dLogits, which may be either, = (q − p)·gradientScale. */
export interface SoftmaxKlDivergenceArguments {
  /** float32 `[rows, vocabSize]`, read: scores of the classes. */
  readonly logits: Storage;
  /** float32 `[rows, vocabSize]`, read: scores of the teacher. */
  readonly targets: Storage;
  /** float32 `[rows]`, written: of every row. */
  readonly loss: Storage;
  /** float32 `[rows]`, written: 1 where the largest logit is that of the target. */
  readonly correct?: Storage | undefined;
  /** float32 `[rows, vocabSize]`, written: gradient of logits. */
  readonly dLogits?: Storage | undefined;
  /** Number of rows. */
  readonly rows: number;
  /** Number of classes. */
  readonly vocabSize: number;
  /** 1/T: multiplies the logits of both. */
  readonly inverseTemperature: number;
  /** Multiplies the gradient. */
  readonly gradientScale: number;
}

/** Exact attention; logSumExp of the scaled scores, over the scale. Not normalised: out = Σ_j exp(scale·q·k_j) v_j, and logSumExp is 0, −∞ without a valid key. */
export interface SoftmaxAttentionArguments {
  /** float32 `[batchQ, heads, lengthQ, dHead]`, read: queries. */
  readonly q: Storage;
  /** float32 `[batchK, heads, lengthK, dHead]`, read: keys. */
  readonly k: Storage;
  /** float32 `[batchK, heads, lengthK, dValue]`, read: values. */
  readonly v: Storage;
  /** float32 `[batchK, lengthK]`, read: 1 = valid, 0 = masked, shared by all heads. */
  readonly keyMask?: Storage | undefined;
  /** int32 `[numSequences, SEQUENCE_COLUMNS]`, read: rows {batch, queryStart, queryLength, keyStart, keyLength, offset}. */
  readonly sequences: Storage;
  /** float32 `[batchQ, heads, lengthQ, dValue]`, written: the result. */
  readonly out: Storage;
  /** float32 `[batchQ, heads, lengthQ]`, written: of the scaled scores, over the scale. */
  readonly logSumExp: Storage;
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Number of heads. */
  readonly heads: number;
  /** Queries of a batch row. */
  readonly lengthQ: number;
  /** Keys of a batch row. */
  readonly lengthK: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Width of values; may differ from dHead. */
  readonly dValue: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
  /** Queries see no later key. */
  readonly causal: boolean;
  /** Multiplies q·k. */
  readonly scale: number;
  /** Divide a row by its sum over the keys. */
  readonly normalise: boolean;
  /** Positions in a block of the near field; 0: every key is near. Default 0. */
  readonly block?: number | undefined;
  /** First keys of a sequence that are near every query. Default 0. */
  readonly sinks?: number | undefined;
}

/** Gradients of softmax_attention. out and logSumExp may be those of more keys: far_field. */
export interface SoftmaxAttentionBackwardArguments {
  /** float32 `[batchQ, heads, lengthQ, dHead]`, read: queries. */
  readonly q: Storage;
  /** float32 `[batchK, heads, lengthK, dHead]`, read: keys. */
  readonly k: Storage;
  /** float32 `[batchK, heads, lengthK, dValue]`, read: values. */
  readonly v: Storage;
  /** float32 `[batchK, lengthK]`, read: 1 = valid, 0 = masked, shared by all heads. */
  readonly keyMask?: Storage | undefined;
  /** int32 `[numSequences, SEQUENCE_COLUMNS]`, read: rows {batch, queryStart, queryLength, keyStart, keyLength, offset}. */
  readonly sequences: Storage;
  /** float32 `[batchQ, heads, lengthQ, dValue]`, read: the result. */
  readonly out: Storage;
  /** float32 `[batchQ, heads, lengthQ]`, read: of the scaled scores, over the scale. */
  readonly logSumExp: Storage;
  /** float32 `[batchQ, heads, lengthQ, dValue]`, read: gradient of out. */
  readonly dOut: Storage;
  /** float32 `[batchQ, heads, lengthQ, dHead]`, written: gradient of q. */
  readonly dQ: Storage;
  /** float32 `[batchK, heads, lengthK, dHead]`, written: gradient of k. */
  readonly dK: Storage;
  /** float32 `[batchK, heads, lengthK, dValue]`, written: gradient of v. */
  readonly dV: Storage;
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Number of heads. */
  readonly heads: number;
  /** Queries of a batch row. */
  readonly lengthQ: number;
  /** Keys of a batch row. */
  readonly lengthK: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Width of values; may differ from dHead. */
  readonly dValue: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
  /** Queries see no later key. */
  readonly causal: boolean;
  /** Multiplies q·k. */
  readonly scale: number;
  /** Divide a row by its sum over the keys. */
  readonly normalise: boolean;
  /** Positions in a block of the near field; 0: every key is near. Default 0. */
  readonly block?: number | undefined;
  /** First keys of a sequence that are near every query. Default 0. */
  readonly sinks?: number | undefined;
}

/** Sorts the positions of every sequence by bucket and cuts the order into chunks. A bucket is the argmax of [R q; −R q], where R is the first rows of the rotations. R has numBuckets/2 rows if causal. Otherwise R makes the least even number of buckets ≥ valid positions / chunkLength, at most numBuckets. */
export interface LshSortArguments {
  /** float32 `[batch, heads, length, dHead]`, read: queries. */
  readonly q: Storage;
  /** float32 `[numHashes, numRotations, dHead]`, read: random directions. */
  readonly rotations: Storage;
  /** float32 `[batch, length]`, read: 1 = valid, 0 = masked, shared by all heads. */
  readonly keyMask?: Storage | undefined;
  /** int32 `[numSequences, SEQUENCE_COLUMNS]`, read: rows {batch, queryStart, queryLength, keyStart, keyLength, offset}. */
  readonly sequences: Storage;
  /** int32 `[numHashes, batch, heads, length]`, written: the position, within its sequence, in every slot of the sequence’s sorted order. */
  readonly order: Storage;
  /** int32 `[numHashes, batch, heads, length]`, written: chunks by position. In a hash, query i sees key j if 0 ≤ chunks[i] − chunks[j] ≤ 1, j is valid, and j < i (causal) or j ≠ i. */
  readonly chunks: Storage;
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Entries side by side. */
  readonly batch: number;
  /** Number of heads. */
  readonly heads: number;
  /** Positions of a batch row. */
  readonly length: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
  /** Queries see no later key. */
  readonly causal: boolean;
  /** Rounds of hashing. */
  readonly numHashes: number;
  /** Of a hash, at most. */
  readonly numBuckets: number;
  /** Rows of a hash’s rotations. */
  readonly numRotations: number;
  /** Most positions in a chunk. */
  readonly chunkLength: number;
}

/** log φ_r for the map exponential, in nats; sin(u_r) for sine; φ_r for the others. */
export interface FavorFeaturesArguments {
  /** float32 `[batch, heads, length, dHead]`, read: what the kernel works on. */
  readonly x: Storage;
  /** float32 `[projectionSize]`, read: the directions: see ProjectionForm. */
  readonly projection: Storage;
  /** float32 `[numFeatures]`, read: added to every row. */
  readonly bias?: Storage | undefined;
  /** Random features of the estimate. */
  readonly numFeatures: number;
  /** How the projection is stored. */
  readonly form: ProjectionForm;
  /** Factors of each block of a projection that is not dense, else 0. */
  readonly factors: number;
  /** Distinct directions: feature r has the direction r mod directions. */
  readonly directions: number;
  /** The function of a feature. */
  readonly map: FeatureMapKind;
  /** Added to every feature of a map other than exponential and sine. */
  readonly epsilon: number;
  /** float32 `[batch, heads, length, numFeatures]`, written: the result. */
  readonly out: Storage;
  /** Entries side by side. */
  readonly batch: number;
  /** Number of heads. */
  readonly heads: number;
  /** Positions of a batch row. */
  readonly length: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
}

/** Gradients of the bidirectional form. */
export interface FavorBackwardArguments {
  /** float32 `[batchQ, heads, lengthQ, dHead]`, read: queries. */
  readonly q: Storage;
  /** float32 `[batchK, heads, lengthK, dHead]`, read: keys. */
  readonly k: Storage;
  /** float32 `[batchK, heads, lengthK, dValue]`, read: values. */
  readonly v: Storage;
  /** float32 `[batchK, lengthK]`, read: 1 = valid, 0 = masked, shared by all heads. */
  readonly keyMask?: Storage | undefined;
  /** int32 `[numSequences, SEQUENCE_COLUMNS]`, read: rows {batch, queryStart, queryLength, keyStart, keyLength, offset}. */
  readonly sequences: Storage;
  /** float32 `[projectionSize]`, read: the directions: see ProjectionForm. */
  readonly projection: Storage;
  /** float32 `[numFeatures]`, read: added to every row. */
  readonly bias?: Storage | undefined;
  /** Random features of the estimate. */
  readonly numFeatures: number;
  /** How the projection is stored. */
  readonly form: ProjectionForm;
  /** Factors of each block of a projection that is not dense, else 0. */
  readonly factors: number;
  /** Distinct directions: feature r has the direction r mod directions. */
  readonly directions: number;
  /** The function of a feature. */
  readonly map: FeatureMapKind;
  /** Added to every feature of a map other than exponential and sine. */
  readonly epsilon: number;
  /** float32 `[numSequences, heads, numFeatures, dValue + 1]`, read: Σ φ_r(k) v over the keys; column dValue is the normaliser; the true sum is (sums + compensation)·2^scale. */
  readonly sums: Storage;
  /** float32 `[numSequences, heads, numFeatures, dValue + 1]`, read: low-order parts of the sums. */
  readonly compensation: Storage;
  /** float32 `[numSequences, heads, numFeatures]`, read: exponents of two that the sums are divided by, integers or −∞ before the first key. Maps other than exponential have one value for all features. */
  readonly scales: Storage;
  /** float32 `[batchQ, heads, lengthQ, dValue]`, read: the result. */
  readonly out: Storage;
  /** float32 `[batchQ, heads, lengthQ]`, read: what the numerators were divided by; 0 for a query without a valid key. */
  readonly denominator: Storage;
  /** float32 `[batchQ, heads, lengthQ, dValue]`, read: gradient of out. */
  readonly dOut: Storage;
  /** float32 `[batchQ, heads, lengthQ, dHead]`, written: gradient of q. */
  readonly dQ: Storage;
  /** float32 `[batchK, heads, lengthK, dHead]`, written: gradient of k. */
  readonly dK: Storage;
  /** float32 `[batchK, heads, lengthK, dValue]`, written: gradient of v. */
  readonly dV: Storage;
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Number of heads. */
  readonly heads: number;
  /** Queries of a batch row. */
  readonly lengthQ: number;
  /** Keys of a batch row. */
  readonly lengthK: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Width of values; may differ from dHead. */
  readonly dValue: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
  /** 0: divide a row by its sum over the keys; otherwise out = weight·Σ_j K(q, k_j) v_j. */
  readonly weight: number;
}

/** Causal, in chunks. Starts from the given states, or from empty states. Leaves the states after the last key there if updateState. For the gradients, snapshots keep {sums, normaliser, scale} before every SNAPSHOT_KEYS-th key. */
export interface FavorCausalArguments {
  /** float32 `[batchQ, heads, lengthQ, dHead]`, read: queries. */
  readonly q: Storage;
  /** float32 `[batchK, heads, lengthK, dHead]`, read: keys. */
  readonly k: Storage;
  /** float32 `[batchK, heads, lengthK, dValue]`, read: values. */
  readonly v: Storage;
  /** float32 `[batchK, lengthK]`, read: 1 = valid, 0 = masked, shared by all heads. */
  readonly keyMask?: Storage | undefined;
  /** int32 `[numSequences, SEQUENCE_COLUMNS]`, read: rows {batch, queryStart, queryLength, keyStart, keyLength, offset}. */
  readonly sequences: Storage;
  /** float32 `[projectionSize]`, read: the directions: see ProjectionForm. */
  readonly projection: Storage;
  /** float32 `[numFeatures]`, read: added to every row. */
  readonly bias?: Storage | undefined;
  /** Random features of the estimate. */
  readonly numFeatures: number;
  /** How the projection is stored. */
  readonly form: ProjectionForm;
  /** Factors of each block of a projection that is not dense, else 0. */
  readonly factors: number;
  /** Distinct directions: feature r has the direction r mod directions. */
  readonly directions: number;
  /** The function of a feature. */
  readonly map: FeatureMapKind;
  /** Added to every feature of a map other than exponential and sine. */
  readonly epsilon: number;
  /** float32 `[numSequences, heads, numFeatures, dValue + 1]`, read and written: Σ φ_r(k) v over the keys; column dValue is the normaliser; the true sum is (sums + compensation)·2^scale. */
  readonly sums?: Storage | undefined;
  /** float32 `[numSequences, heads, numFeatures, dValue + 1]`, read and written: low-order parts of the sums. */
  readonly compensation?: Storage | undefined;
  /** float32 `[numSequences, heads, numFeatures]`, read and written: exponents of two that the sums are divided by, integers or −∞ before the first key. Maps other than exponential have one value for all features. */
  readonly scales?: Storage | undefined;
  /** float32 `[batchQ, heads, lengthQ, dValue]`, written: the result. */
  readonly out: Storage;
  /** float32 `[batchQ, heads, lengthQ]`, written: what the numerators were divided by; 0 for a query without a valid key. */
  readonly denominator: Storage;
  /** float32 `[numSequences, heads, floor((lengthQ + lengthK) / SNAPSHOT_KEYS), numFeatures, dValue + 2]`, written: sums, normaliser and scale before every SNAPSHOT_KEYS-th key. */
  readonly snapshots?: Storage | undefined;
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Number of heads. */
  readonly heads: number;
  /** Queries of a batch row. */
  readonly lengthQ: number;
  /** Keys of a batch row. */
  readonly lengthK: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Width of values; may differ from dHead. */
  readonly dValue: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
  /** Leave the states after the last key of every sequence in sums, compensation and scales. Default false. */
  readonly updateState?: boolean | undefined;
  /** 0: divide a row by its sum over the keys; otherwise out = weight·Σ_j K(q, k_j) v_j. */
  readonly weight: number;
  /** A denominator whose size is at most this gains twice this, in units of the query’s own scale. */
  readonly stabiliser: number;
}

/** Gradients of favor_causal started from empty states, from the snapshots that it left. */
export interface FavorCausalBackwardArguments {
  /** float32 `[batchQ, heads, lengthQ, dHead]`, read: queries. */
  readonly q: Storage;
  /** float32 `[batchK, heads, lengthK, dHead]`, read: keys. */
  readonly k: Storage;
  /** float32 `[batchK, heads, lengthK, dValue]`, read: values. */
  readonly v: Storage;
  /** float32 `[batchK, lengthK]`, read: 1 = valid, 0 = masked, shared by all heads. */
  readonly keyMask?: Storage | undefined;
  /** int32 `[numSequences, SEQUENCE_COLUMNS]`, read: rows {batch, queryStart, queryLength, keyStart, keyLength, offset}. */
  readonly sequences: Storage;
  /** float32 `[projectionSize]`, read: the directions: see ProjectionForm. */
  readonly projection: Storage;
  /** float32 `[numFeatures]`, read: added to every row. */
  readonly bias?: Storage | undefined;
  /** Random features of the estimate. */
  readonly numFeatures: number;
  /** How the projection is stored. */
  readonly form: ProjectionForm;
  /** Factors of each block of a projection that is not dense, else 0. */
  readonly factors: number;
  /** Distinct directions: feature r has the direction r mod directions. */
  readonly directions: number;
  /** The function of a feature. */
  readonly map: FeatureMapKind;
  /** Added to every feature of a map other than exponential and sine. */
  readonly epsilon: number;
  /** float32 `[batchQ, heads, lengthQ, dValue]`, read: the result. */
  readonly out: Storage;
  /** float32 `[batchQ, heads, lengthQ]`, read: what the numerators were divided by; 0 for a query without a valid key. */
  readonly denominator: Storage;
  /** float32 `[numSequences, heads, floor((lengthQ + lengthK) / SNAPSHOT_KEYS), numFeatures, dValue + 2]`, read: sums, normaliser and scale before every SNAPSHOT_KEYS-th key. */
  readonly snapshots: Storage;
  /** float32 `[batchQ, heads, lengthQ, dValue]`, read: gradient of out. */
  readonly dOut: Storage;
  /** float32 `[batchQ, heads, lengthQ, dHead]`, written: gradient of q. */
  readonly dQ: Storage;
  /** float32 `[batchK, heads, lengthK, dHead]`, written: gradient of k. */
  readonly dK: Storage;
  /** float32 `[batchK, heads, lengthK, dValue]`, written: gradient of v. */
  readonly dV: Storage;
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Number of heads. */
  readonly heads: number;
  /** Queries of a batch row. */
  readonly lengthQ: number;
  /** Keys of a batch row. */
  readonly lengthK: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Width of values; may differ from dHead. */
  readonly dValue: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
  /** 0: divide a row by its sum over the keys; otherwise out = weight·Σ_j K(q, k_j) v_j. */
  readonly weight: number;
}

/** Adds the far keys before the near field, or after the near field if reverse, to the rows of a near field: out = kept·out + shares·Q′S. The far keys count weight·e^gain·Σ_r φ_r(q) φ_r(k) each, beside the exp(q·k/√dHead) of near keys. The map is exponential. On entry out and logSumExp are those of softmax_attention with scale 1/√dHead; they become those of all keys added so far. State: of the keys before the block before that of position offset; starts from the given states, or from empty states. Leaves there, if updateState, the states that hold for queries after the last key. For the gradients, snapshots keep {sums, normaliser, scale} before every few blocks. */
export interface FarFieldArguments {
  /** float32 `[batchQ, heads, lengthQ, dHead]`, read: queries. */
  readonly q: Storage;
  /** float32 `[batchK, heads, lengthK, dHead]`, read: keys. */
  readonly k: Storage;
  /** float32 `[batchK, heads, lengthK, dValue]`, read: values. */
  readonly v: Storage;
  /** float32 `[batchK, lengthK]`, read: 1 = valid, 0 = masked, shared by all heads. */
  readonly keyMask?: Storage | undefined;
  /** int32 `[numSequences, SEQUENCE_COLUMNS]`, read: rows {batch, queryStart, queryLength, keyStart, keyLength, offset}. */
  readonly sequences: Storage;
  /** float32 `[projectionSize]`, read: the directions: see ProjectionForm. */
  readonly projection: Storage;
  /** float32 `[numFeatures]`, read: added to every row. */
  readonly bias?: Storage | undefined;
  /** Random features of the estimate. */
  readonly numFeatures: number;
  /** How the projection is stored. */
  readonly form: ProjectionForm;
  /** Factors of each block of a projection that is not dense, else 0. */
  readonly factors: number;
  /** Distinct directions: feature r has the direction r mod directions. */
  readonly directions: number;
  /** float32 `[heads]`, read: logarithm of what the far field is multiplied by in every head; absent: 0. */
  readonly gain?: Storage | undefined;
  /** float32 `[numSequences, heads, numFeatures, dValue + 1]`, read and written: Σ φ_r(k) v over the keys; column dValue is the normaliser; the true sum is (sums + compensation)·2^scale. */
  readonly sums?: Storage | undefined;
  /** float32 `[numSequences, heads, numFeatures, dValue + 1]`, read and written: low-order parts of the sums. */
  readonly compensation?: Storage | undefined;
  /** float32 `[numSequences, heads, numFeatures]`, read and written: exponents of two that the sums are divided by, integers or −∞ before the first key. Maps other than exponential have one value for all features. */
  readonly scales?: Storage | undefined;
  /** float32 `[batchQ, heads, lengthQ, dValue]`, read and written: the result. */
  readonly out: Storage;
  /** float32 `[batchQ, heads, lengthQ]`, read and written: of the scaled scores, over the scale. */
  readonly logSumExp: Storage;
  /** float32 `[batchQ, heads, lengthQ]`, written: what the far sums of a row are multiplied by; 0 where nothing is far. */
  readonly shares: Storage;
  /** float32 `[batchQ, heads, lengthQ]`, written: what the row of the near field was multiplied by. */
  readonly kept?: Storage | undefined;
  /** float32 `[numSequences, heads, floor((lengthQ + lengthK) / (block * max(1, floor(SNAPSHOT_KEYS / block)))) + 4, numFeatures, dValue + 2]`, written: sums, normaliser and scale before every SNAPSHOT_KEYS-th key. */
  readonly snapshots?: Storage | undefined;
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Number of heads. */
  readonly heads: number;
  /** Queries of a batch row. */
  readonly lengthQ: number;
  /** Keys of a batch row. */
  readonly lengthK: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Width of values; may differ from dHead. */
  readonly dValue: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
  /** Positions in a block of the near field; 0: every key is near. */
  readonly block: number;
  /** First keys of a sequence that are near every query. Default 0. */
  readonly sinks?: number | undefined;
  /** The far keys after a query instead of those before. Default false. */
  readonly reverse?: boolean | undefined;
  /** 0: divide a row by its sum over the keys; otherwise out = weight·Σ_j K(q, k_j) v_j. */
  readonly weight: number;
  /** Leave the states after the last key of every sequence in sums, compensation and scales. Default false. */
  readonly updateState?: boolean | undefined;
}

/** Adds to the gradients what far_field gives, started from empty states. The snapshots are those that far_field left; out and shares are those of all keys. */
export interface FarFieldBackwardArguments {
  /** float32 `[batchQ, heads, lengthQ, dHead]`, read: queries. */
  readonly q: Storage;
  /** float32 `[batchK, heads, lengthK, dHead]`, read: keys. */
  readonly k: Storage;
  /** float32 `[batchK, heads, lengthK, dValue]`, read: values. */
  readonly v: Storage;
  /** float32 `[batchK, lengthK]`, read: 1 = valid, 0 = masked, shared by all heads. */
  readonly keyMask?: Storage | undefined;
  /** int32 `[numSequences, SEQUENCE_COLUMNS]`, read: rows {batch, queryStart, queryLength, keyStart, keyLength, offset}. */
  readonly sequences: Storage;
  /** float32 `[projectionSize]`, read: the directions: see ProjectionForm. */
  readonly projection: Storage;
  /** float32 `[numFeatures]`, read: added to every row. */
  readonly bias?: Storage | undefined;
  /** Random features of the estimate. */
  readonly numFeatures: number;
  /** How the projection is stored. */
  readonly form: ProjectionForm;
  /** Factors of each block of a projection that is not dense, else 0. */
  readonly factors: number;
  /** Distinct directions: feature r has the direction r mod directions. */
  readonly directions: number;
  /** float32 `[heads]`, read: logarithm of what the far field is multiplied by in every head; absent: 0. */
  readonly gain?: Storage | undefined;
  /** float32 `[batchQ, heads, lengthQ, dValue]`, read: the result. */
  readonly out: Storage;
  /** float32 `[batchQ, heads, lengthQ]`, read: what the far sums of a row are multiplied by; 0 where nothing is far. */
  readonly shares: Storage;
  /** float32 `[numSequences, heads, floor((lengthQ + lengthK) / (block * max(1, floor(SNAPSHOT_KEYS / block)))) + 4, numFeatures, dValue + 2]`, read: sums, normaliser and scale before every SNAPSHOT_KEYS-th key. */
  readonly snapshots: Storage;
  /** float32 `[batchQ, heads, lengthQ, dValue]`, read: gradient of out. */
  readonly dOut: Storage;
  /** float32 `[batchQ, heads, lengthQ, dHead]`, read and written: gradient of q. */
  readonly dQ: Storage;
  /** float32 `[batchK, heads, lengthK, dHead]`, read and written: gradient of k. */
  readonly dK: Storage;
  /** float32 `[batchK, heads, lengthK, dValue]`, read and written: gradient of v. */
  readonly dV: Storage;
  /** float32 `[numSequences, heads]`, written: gradient of gain, of every sequence. */
  readonly dGain: Storage;
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Number of heads. */
  readonly heads: number;
  /** Queries of a batch row. */
  readonly lengthQ: number;
  /** Keys of a batch row. */
  readonly lengthK: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Width of values; may differ from dHead. */
  readonly dValue: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
  /** Positions in a block of the near field; 0: every key is near. */
  readonly block: number;
  /** First keys of a sequence that are near every query. Default 0. */
  readonly sinks?: number | undefined;
  /** The far keys after a query instead of those before. Default false. */
  readonly reverse?: boolean | undefined;
  /** 0: divide a row by its sum over the keys; otherwise out = weight·Σ_j K(q, k_j) v_j. */
  readonly weight: number;
}

/** The mass of the near field as features estimate it. logMass is the logarithm of weight·Σ_near Σ_r φ_r(q) φ_r(k). Like logSumExp, logMass is divided by the scale 1/√dHead. The map is exponential. */
export interface NearMassArguments {
  /** float32 `[batchQ, heads, lengthQ, dHead]`, read: queries. */
  readonly q: Storage;
  /** float32 `[batchK, heads, lengthK, dHead]`, read: keys. */
  readonly k: Storage;
  /** float32 `[batchK, lengthK]`, read: 1 = valid, 0 = masked, shared by all heads. */
  readonly keyMask?: Storage | undefined;
  /** int32 `[numSequences, SEQUENCE_COLUMNS]`, read: rows {batch, queryStart, queryLength, keyStart, keyLength, offset}. */
  readonly sequences: Storage;
  /** float32 `[projectionSize]`, read: the directions: see ProjectionForm. */
  readonly projection: Storage;
  /** float32 `[numFeatures]`, read: added to every row. */
  readonly bias?: Storage | undefined;
  /** Random features of the estimate. */
  readonly numFeatures: number;
  /** How the projection is stored. */
  readonly form: ProjectionForm;
  /** Factors of each block of a projection that is not dense, else 0. */
  readonly factors: number;
  /** Distinct directions: feature r has the direction r mod directions. */
  readonly directions: number;
  /** float32 `[batchQ, heads, lengthQ]`, written: of every query, over 1/√dHead. */
  readonly logMass: Storage;
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Number of heads. */
  readonly heads: number;
  /** Queries of a batch row. */
  readonly lengthQ: number;
  /** Keys of a batch row. */
  readonly lengthK: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
  /** Queries see no later key. */
  readonly causal: boolean;
  /** Positions in a block of the near field; 0: every key is near. */
  readonly block: number;
  /** First keys of a sequence that are near every query. Default 0. */
  readonly sinks?: number | undefined;
  /** 0: divide a row by its sum over the keys; otherwise out = weight·Σ_j K(q, k_j) v_j. */
  readonly weight: number;
}

/** Adds to the gradients what near_mass gives where the mass splits rows: out = kept·nearOut + the rest, so that logMass has the gradient kept·dOut·(nearOut − out). */
export interface NearMassBackwardArguments {
  /** float32 `[batchQ, heads, lengthQ, dHead]`, read: queries. */
  readonly q: Storage;
  /** float32 `[batchK, heads, lengthK, dHead]`, read: keys. */
  readonly k: Storage;
  /** float32 `[batchK, lengthK]`, read: 1 = valid, 0 = masked, shared by all heads. */
  readonly keyMask?: Storage | undefined;
  /** int32 `[numSequences, SEQUENCE_COLUMNS]`, read: rows {batch, queryStart, queryLength, keyStart, keyLength, offset}. */
  readonly sequences: Storage;
  /** float32 `[projectionSize]`, read: the directions: see ProjectionForm. */
  readonly projection: Storage;
  /** float32 `[numFeatures]`, read: added to every row. */
  readonly bias?: Storage | undefined;
  /** Random features of the estimate. */
  readonly numFeatures: number;
  /** How the projection is stored. */
  readonly form: ProjectionForm;
  /** Factors of each block of a projection that is not dense, else 0. */
  readonly factors: number;
  /** Distinct directions: feature r has the direction r mod directions. */
  readonly directions: number;
  /** float32 `[batchQ, heads, lengthQ, dValue]`, read: the rows of the near field alone. */
  readonly nearOut: Storage;
  /** float32 `[batchQ, heads, lengthQ, dValue]`, read: the result. */
  readonly out: Storage;
  /** float32 `[batchQ, heads, lengthQ]`, read: what the row of the near field was multiplied by. */
  readonly kept: Storage;
  /** float32 `[batchQ, heads, lengthQ, dValue]`, read: gradient of out. */
  readonly dOut: Storage;
  /** float32 `[batchQ, heads, lengthQ, dHead]`, read and written: gradient of q. */
  readonly dQ: Storage;
  /** float32 `[batchK, heads, lengthK, dHead]`, read and written: gradient of k. */
  readonly dK: Storage;
  /** Width of values; may differ from dHead. */
  readonly dValue: number;
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Number of heads. */
  readonly heads: number;
  /** Queries of a batch row. */
  readonly lengthQ: number;
  /** Keys of a batch row. */
  readonly lengthK: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
  /** Queries see no later key. */
  readonly causal: boolean;
  /** Positions in a block of the near field; 0: every key is near. */
  readonly block: number;
  /** First keys of a sequence that are near every query. Default 0. */
  readonly sinks?: number | undefined;
  /** 0: divide a row by its sum over the keys; otherwise out = weight·Σ_j K(q, k_j) v_j. */
  readonly weight: number;
}

/** One token for every (batch, head): updates the states with (k, v), then reads them with q. */
export interface FavorStepArguments {
  /** float32 `[batch, heads, dHead]`, read: queries. */
  readonly q: Storage;
  /** float32 `[batch, heads, dHead]`, read: keys. */
  readonly k: Storage;
  /** float32 `[batch, heads, dValue]`, read: values. */
  readonly v: Storage;
  /** float32 `[projectionSize]`, read: the directions: see ProjectionForm. */
  readonly projection: Storage;
  /** float32 `[numFeatures]`, read: added to every row. */
  readonly bias?: Storage | undefined;
  /** Random features of the estimate. */
  readonly numFeatures: number;
  /** How the projection is stored. */
  readonly form: ProjectionForm;
  /** Factors of each block of a projection that is not dense, else 0. */
  readonly factors: number;
  /** Distinct directions: feature r has the direction r mod directions. */
  readonly directions: number;
  /** The function of a feature. */
  readonly map: FeatureMapKind;
  /** Added to every feature of a map other than exponential and sine. */
  readonly epsilon: number;
  /** float32 `[batch, heads, numFeatures, dValue + 1]`, read and written: Σ φ_r(k) v over the keys; column dValue is the normaliser; the true sum is (sums + compensation)·2^scale. */
  readonly sums: Storage;
  /** float32 `[batch, heads, numFeatures, dValue + 1]`, read and written: low-order parts of the sums. */
  readonly compensation: Storage;
  /** float32 `[batch, heads, numFeatures]`, read and written: exponents of two that the sums are divided by, integers or −∞ before the first key. Maps other than exponential have one value for all features. */
  readonly scales: Storage;
  /** float32 `[batch, heads, dValue]`, written: the result. */
  readonly out: Storage;
  /** Entries side by side. */
  readonly batch: number;
  /** Number of heads. */
  readonly heads: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Width of values; may differ from dHead. */
  readonly dValue: number;
  /** 0: divide a row by its sum over the keys; otherwise out = weight·Σ_j K(q, k_j) v_j. */
  readonly weight: number;
  /** A denominator whose size is at most this gains twice this, in units of the query’s own scale. */
  readonly stabiliser: number;
}

/** Independent multiply-adds x ← x/2 + 1, 3072·iterations flops in each unit; out is their limit 2 once iterations ≥ 4. */
export interface PeakArguments {
  /** float32 `[units]`, written: 2 in the end. */
  readonly out: Storage;
  /** Of 1536 multiply-adds. */
  readonly iterations: number;
}

/** What a backend computes. */
export interface Operations {
  /** c[i] = alpha·op(a[i]) op(b[i]) + bias (+ c[i] if accumulate), row-major. */
  gemm(args: GemmArguments): void;
  /** The gradients of layerNorm, overwritten. */
  layerNormBackward(args: LayerNormBackwardArguments): void;
  /** Σ x². Waits for earlier calls. */
  squaredNorm(x: Storage): Promise<number>;
  /** Decoupled weight decay: x −= learningRate·(m̂/(√v̂ + epsilon) + weightDecay·x) with m̂ = m/correction1, v̂ = v/correction2 and the gradient times gradientScale. */
  adamW(args: AdamWArguments): void;
  /** out = softmax of scale·q·k̂ over the keys that any hash shows, times v. */
  lshAttention(args: LshAttentionArguments): void;
  /** Gradients of lshAttention; dQ is the gradient of q in both of its roles. */
  lshAttentionBackward(args: LshAttentionBackwardArguments): void;
  /** Bidirectional FAVOR+: fills the states from the keys, then out and denominator from the queries. */
  favor(args: FavorArguments): void;
  /** x = value. */
  fill(x: Storage, value: number): void;
  /** out = a + b; out may be the memory of a or b. */
  add(a: Storage, b: Storage, out: Storage): void;
  /** y += alpha·x. */
  axpy(alpha: number, x: Storage, y: Storage): void;
  /** out = alpha·x; out may be the memory of x. */
  scale(x: Storage, out: Storage, alpha: number): void;
  /** out[r] = factors[r mod numFactors]·x[r]; a factor of 0 gives zeros whatever x holds; out may be the memory of x. */
  scaleRows(args: ScaleRowsArguments): void;
  /** out = f(x). */
  activation(kind: UnaryKind, x: Storage, out: Storage): void;
  /** dX = dOut ∘ f′(x). */
  activationBackward(kind: UnaryKind, x: Storage, dOut: Storage, dX: Storage): void;
  /** out[o, i] = Σ_l x[o, l, i] (+ out[o, i] if accumulate). */
  sumAxis(args: SumAxisArguments): void;
  /** Moves every element of x to its place in out: x may repeat (stride 0), places in out may not. Integers too, whose bits are kept. */
  stridedCopy(args: StridedCopyArguments): void;
  /** out = a ∘ b, out dense; out may be the memory of an array that is dense too. */
  binary(args: BinaryArguments): void;
  /** out = condition ≠ 0 ? a : b, out dense; NaN is not 0, and what is not chosen has no effect. */
  select(args: SelectArguments): void;
  /** Softmax of every row, or its logarithm; out may be the memory of x. NaN, ∞ or nothing but −∞ makes a row NaN. */
  softmax(args: SoftmaxArguments): void;
  /** The gradient of what softmax gave; a weight of exactly 0 takes no part. dX may be the memory of dOut. */
  softmaxBackward(args: SoftmaxBackwardArguments): void;
  /** Layer norm over the last axis; mean and inverseDeviation are kept for the gradient. */
  layerNorm(args: LayerNormArguments): void;
  /** out[i] = table[ids[i]]. */
  embedding(args: EmbeddingArguments): void;
  /** dTable[ids[i]] += dOut[i]. */
  embeddingBackward(args: EmbeddingBackwardArguments): void;
  /** Rotates the pairs (x[2i], x[2i + 1]) of every head by (offset + position)·base^(−2i/dHead), back if inverse; out may be x. */
  rotary(args: RotaryArguments): void;
  /** out = x ∘ keep/(1 − rate). Element i is kept if word i mod 4 of Philox4x32-10 at counter i div 4 is at least rate·2³². The output may be x. */
  dropout(args: DropoutArguments): void;
  /** loss[r] = −log softmax(logits[r])[targets[r]]; dLogits, which may be logits, = (softmax − onehot)·gradientScale. A negative target gives 0; correct[r] is 1 if the target is the argmax. */
  softmaxCrossEntropy(args: SoftmaxCrossEntropyArguments): void;
  /** loss[r] = KL(p ‖ q) in nats, p = softmax(targets[r]·inverseTemperature), q that of logits; dLogits, which may be either, = (q − p)·gradientScale. */
  softmaxKlDivergence(args: SoftmaxKlDivergenceArguments): void;
  /** Exact attention; logSumExp of the scaled scores, over the scale. Not normalised: out = Σ_j exp(scale·q·k_j) v_j, and logSumExp is 0, −∞ without a valid key. */
  softmaxAttention(args: SoftmaxAttentionArguments): void;
  /** Gradients of softmax_attention. out and logSumExp may be those of more keys: far_field. */
  softmaxAttentionBackward(args: SoftmaxAttentionBackwardArguments): void;
  /** Sorts the positions of every sequence by bucket and cuts the order into chunks. A bucket is the argmax of [R q; −R q], where R is the first rows of the rotations. R has numBuckets/2 rows if causal. Otherwise R makes the least even number of buckets ≥ valid positions / chunkLength, at most numBuckets. */
  lshSort(args: LshSortArguments): void;
  /** log φ_r for the map exponential, in nats; sin(u_r) for sine; φ_r for the others. */
  favorFeatures(args: FavorFeaturesArguments): void;
  /** Gradients of the bidirectional form. */
  favorBackward(args: FavorBackwardArguments): void;
  /** Causal, in chunks. Starts from the given states, or from empty states. Leaves the states after the last key there if updateState. For the gradients, snapshots keep {sums, normaliser, scale} before every SNAPSHOT_KEYS-th key. */
  favorCausal(args: FavorCausalArguments): void;
  /** Gradients of favor_causal started from empty states, from the snapshots that it left. */
  favorCausalBackward(args: FavorCausalBackwardArguments): void;
  /** Adds the far keys before the near field, or after the near field if reverse, to the rows of a near field: out = kept·out + shares·Q′S. The far keys count weight·e^gain·Σ_r φ_r(q) φ_r(k) each, beside the exp(q·k/√dHead) of near keys. The map is exponential. On entry out and logSumExp are those of softmax_attention with scale 1/√dHead; they become those of all keys added so far. State: of the keys before the block before that of position offset; starts from the given states, or from empty states. Leaves there, if updateState, the states that hold for queries after the last key. For the gradients, snapshots keep {sums, normaliser, scale} before every few blocks. */
  farField(args: FarFieldArguments): void;
  /** Adds to the gradients what far_field gives, started from empty states. The snapshots are those that far_field left; out and shares are those of all keys. */
  farFieldBackward(args: FarFieldBackwardArguments): void;
  /** The mass of the near field as features estimate it. logMass is the logarithm of weight·Σ_near Σ_r φ_r(q) φ_r(k). Like logSumExp, logMass is divided by the scale 1/√dHead. The map is exponential. */
  nearMass(args: NearMassArguments): void;
  /** Adds to the gradients what near_mass gives where the mass splits rows: out = kept·nearOut + the rest, so that logMass has the gradient kept·dOut·(nearOut − out). */
  nearMassBackward(args: NearMassBackwardArguments): void;
  /** One token for every (batch, head): updates the states with (k, v), then reads them with q. */
  favorStep(args: FavorStepArguments): void;
  /** Independent multiply-adds x ← x/2 + 1, 3072·iterations flops in each unit; out is their limit 2 once iterations ≥ 4. */
  peak(args: PeakArguments): void;
}
