/** Generated from kernels/description.mjs by scripts/generate-kernels.mjs: change the description, then build. */
import type {
  AttentionLayout,
  BinaryArguments,
  DropoutArguments,
  EmbeddingArguments,
  EmbeddingBackwardArguments,
  FarFieldArguments,
  FarFieldBackwardArguments,
  FavorBackwardArguments,
  FavorCausalArguments,
  FavorCausalBackwardArguments,
  FavorFeaturesArguments,
  FavorStepArguments,
  FeatureMapKind,
  LayerNormArguments,
  LshSortArguments,
  NearMassArguments,
  NearMassBackwardArguments,
  Operations,
  PeakArguments,
  ProjectionForm,
  RotaryArguments,
  ScaleRowsArguments,
  SelectArguments,
  SoftmaxArguments,
  SoftmaxAttentionArguments,
  SoftmaxAttentionBackwardArguments,
  SoftmaxBackwardArguments,
  SoftmaxCrossEntropyArguments,
  SoftmaxKlDivergenceArguments,
  StridedCopyArguments,
  SumAxisArguments,
  UnaryKind,
} from '../kernels.ts';
import type { DataType, Storage } from '../storage.ts';

/** The number of every name of an enumeration. */
const numbers = {
  AttentionLayout: { bhld: 0, blhd: 1 },
  UnaryKind: { relu: 0, gelu: 1, geluTanh: 2, tanh: 3, exp: 4, log: 5 },
  BinaryKind: { add: 0, subtract: 1, multiply: 2, divide: 3 },
  FeatureMapKind: {
    exponential: 0,
    sine: 1,
    relu: 2,
    exp: 3,
    sigmoid: 4,
    abs: 5,
    gelu: 6,
    cos: 7,
    tanh: 8,
    identity: 9,
    eluPlusOne: 10,
    square: 11,
  },
  ProjectionForm: { dense: 0, hadamard: 1, givens: 2 },
} as const;

/** The number of arguments of every kernel. */
export const KERNEL_ARGUMENTS = {
  gemm_pack: 8,
  gemm: 16,
  gemv: 13,
  fill: 3,
  add: 4,
  axpy: 4,
  scale: 4,
  scale_rows: 6,
  activation: 4,
  activation_backward: 5,
  sum_axis: 6,
  squared_norm: 3,
  strided_copy: 5,
  binary: 7,
  select: 7,
  softmax: 5,
  softmax_backward: 6,
  layer_norm: 9,
  layer_norm_backward: 8,
  layer_norm_backward_parameters: 8,
  embedding: 5,
  embedding_backward: 5,
  rotary: 10,
  dropout: 7,
  softmax_cross_entropy: 8,
  softmax_kl_divergence: 9,
  adamw: 13,
  softmax_attention: 19,
  softmax_attention_backward: 23,
  lsh_sort: 17,
  lsh_attention: 21,
  lsh_attention_backward: 24,
  favor_features: 15,
  favor_keys: 21,
  favor_queries: 23,
  favor_backward: 30,
  favor_causal: 29,
  favor_causal_backward: 28,
  far_field: 32,
  far_field_backward: 31,
  near_mass: 21,
  near_mass_backward: 27,
  favor_step: 21,
  peak: 3,
} as const;

export type KernelName = keyof typeof KERNEL_ARGUMENTS;

/** Kernels that the WebAssembly files for inference lack. */
export const TRAINING_KERNELS = [
  'activation_backward',
  'squared_norm',
  'softmax_backward',
  'layer_norm_backward',
  'layer_norm_backward_parameters',
  'embedding_backward',
  'dropout',
  'softmax_cross_entropy',
  'softmax_kl_divergence',
  'adamw',
  'softmax_attention_backward',
  'lsh_attention_backward',
  'favor_backward',
  'favor_causal_backward',
  'far_field_backward',
  'near_mass_backward',
  'peak',
] as const;

/** The address of a storage that holds numbers of `type`. */
export type AddressOf = (storage: Storage, type: DataType) => number;

/** Packs panels of op(b) [k, n] for gemm; packedSize floats for each entry of the batch. */
export interface GemmPackKernel {
  /** float32 `[batch, (transposeB ? n : k), transposeB ? k : n]`, read: second operand. */
  readonly b: Storage;
  /** float32 `[batch, packedSize]`, written: panels of columns. */
  readonly packed: Storage;
  /** Columns of c. */
  readonly n: number;
  /** Inner length. */
  readonly k: number;
  /** Elements from a row of b to the next. */
  readonly ldb: number;
  /** B is [n, k]. */
  readonly transposeB: boolean;
  /** Entries side by side. */
  readonly batch: number;
  /** Elements from an entry of b to the next; 0: shared. */
  readonly strideB: number;
}

/** c[i] = alpha·op(a[i]) op(b[i]) + bias (+ c[i] if accumulate), with op(a) [m, k] and b packed by gemm_pack. */
export interface GemmKernel {
  /** float32 `[batch, (transposeA ? k : m), transposeA ? m : k]`, read: first operand. */
  readonly a: Storage;
  /** float32 `[batch, packedSize]`, read: b as gemm_pack leaves it. */
  readonly packedB: Storage;
  /** float32 `[n]`, read: added to every row. */
  readonly bias?: Storage | undefined;
  /** float32 `[batch, m, n]`, read and written: the product. */
  readonly c: Storage;
  /** Rows of c. */
  readonly m: number;
  /** Columns of c. */
  readonly n: number;
  /** Inner length. */
  readonly k: number;
  /** Elements from a row of a to the next. */
  readonly lda: number;
  /** Elements from a row of c to the next. */
  readonly ldc: number;
  /** A is [k, m]. */
  readonly transposeA: boolean;
  /** Entries side by side. */
  readonly batch: number;
  /** Elements from an entry of a to the next. */
  readonly strideA: number;
  /** Elements from an entry of b to the next; 0: shared. */
  readonly strideB: number;
  /** Elements from an entry of c to the next. */
  readonly strideC: number;
  /** Factor. */
  readonly alpha: number;
  /** Add to the output instead of overwriting it. */
  readonly accumulate: boolean;
}

/** The same product for few rows (m ≤ 4, a not transposed): reads b once, without a copy. */
export interface GemvKernel {
  /** float32 `[m, k]`, read: first operand. */
  readonly a: Storage;
  /** float32 `[(transposeB ? n : k), transposeB ? k : n]`, read: second operand. */
  readonly b: Storage;
  /** float32 `[n]`, read: added to every row. */
  readonly bias?: Storage | undefined;
  /** float32 `[m, n]`, read and written: the product. */
  readonly c: Storage;
  /** Rows of c. */
  readonly m: number;
  /** Columns of c. */
  readonly n: number;
  /** Inner length. */
  readonly k: number;
  /** Elements from a row of a to the next. */
  readonly lda: number;
  /** Elements from a row of b to the next. */
  readonly ldb: number;
  /** Elements from a row of c to the next. */
  readonly ldc: number;
  /** B is [n, k]. */
  readonly transposeB: boolean;
  /** Factor. */
  readonly alpha: number;
  /** Add to the output instead of overwriting it. */
  readonly accumulate: boolean;
}

/** x = value. */
export interface FillKernel {
  /** float32 `[count]`, written: what the kernel works on. */
  readonly x: Storage;
  /** Of every element. */
  readonly value: number;
}

/** out = a + b; out may be the memory of a or b. */
export interface AddKernel {
  /** float32 `[count]`, read: first operand. */
  readonly a: Storage;
  /** float32 `[count]`, read: second operand. */
  readonly b: Storage;
  /** float32 `[count]`, written: the result. */
  readonly out: Storage;
}

/** y += alpha·x. */
export interface AxpyKernel {
  /** Factor. */
  readonly alpha: number;
  /** float32 `[count]`, read: what the kernel works on. */
  readonly x: Storage;
  /** float32 `[count]`, read and written: the sum. */
  readonly y: Storage;
}

/** out = alpha·x; out may be the memory of x. */
export interface ScaleKernel {
  /** float32 `[count]`, read: what the kernel works on. */
  readonly x: Storage;
  /** float32 `[count]`, written: the result. */
  readonly out: Storage;
  /** Factor. */
  readonly alpha: number;
}

/** out = f(x). */
export interface ActivationKernel {
  /** The function f. */
  readonly kind: UnaryKind;
  /** float32 `[count]`, read: what the kernel works on. */
  readonly x: Storage;
  /** float32 `[count]`, written: the result. */
  readonly out: Storage;
}

/** dX = dOut ∘ f′(x). */
export interface ActivationBackwardKernel {
  /** The function f. */
  readonly kind: UnaryKind;
  /** float32 `[count]`, read: what the kernel works on. */
  readonly x: Storage;
  /** float32 `[count]`, read: gradient of out. */
  readonly dOut: Storage;
  /** float32 `[count]`, written: gradient of x. */
  readonly dX: Storage;
}

/** Partial sums of x², one for every NORM_BLOCK elements. */
export interface SquaredNormKernel {
  /** float32 `[count]`, read: what the kernel works on. */
  readonly x: Storage;
  /** float64 `[ceil(count / NORM_BLOCK)]`, written: Σ x² of every block. */
  readonly partials: Storage;
}

/** The gradient of the rows. */
export interface LayerNormBackwardKernel {
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
}

/** The gradients of gamma and beta, overwritten. */
export interface LayerNormBackwardParametersKernel {
  /** float32 `[rows, width]`, read: what the kernel works on. */
  readonly x: Storage;
  /** float32 `[rows]`, read: of every row. */
  readonly mean: Storage;
  /** float32 `[rows]`, read: 1/√(variance + epsilon) of every row. */
  readonly inverseDeviation: Storage;
  /** float32 `[rows, width]`, read: gradient of out. */
  readonly dOut: Storage;
  /** float32 `[width]`, written: gradient of gamma. */
  readonly dGamma: Storage;
  /** float32 `[width]`, written: gradient of beta. */
  readonly dBeta: Storage;
  /** Number of rows. */
  readonly rows: number;
  /** Length of a row. */
  readonly width: number;
}

/** Decoupled weight decay: x −= learningRate·(m̂/(√v̂ + epsilon) + weightDecay·x) with m̂ = m/correction1, v̂ = v/correction2 and the gradient times gradientScale. */
export interface AdamwKernel {
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
  /** 1 − beta1^step. */
  readonly correction1: number;
  /** 1 − beta2^step. */
  readonly correction2: number;
  /** Multiplies the gradient. */
  readonly gradientScale: number;
}

/** One call for each hash, in order. After the last call, out is the softmax of scale·q·k̂ over the keys that any hash shows, times v. A valid query that sees no key gets its own value. References and sums are a row’s largest score and Σ exp(score − reference). */
export interface LshAttentionKernel {
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
  /** The hash of this call. */
  readonly hash: number;
}

/** One call for each hash; dQ is the gradient of q in both of its roles. */
export interface LshAttentionBackwardKernel {
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
  /** The hash of this call. */
  readonly hash: number;
}

/** Bidirectional, first pass: the state of every (sequence, head) from its keys and values. */
export interface FavorKeysKernel {
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
  /** float32 `[numSequences, heads, numFeatures, dValue + 1]`, written: Σ φ_r(k) v over the keys; column dValue is the normaliser; the true sum is (sums + compensation)·2^scale. */
  readonly sums: Storage;
  /** float32 `[numSequences, heads, numFeatures, dValue + 1]`, written: low-order parts of the sums. */
  readonly compensation: Storage;
  /** float32 `[numSequences, heads, numFeatures]`, written: exponents of two that the sums are divided by, integers or −∞ before the first key. Maps other than exponential have one value for all features. */
  readonly scales: Storage;
  /** Rows of sequences. */
  readonly numSequences: number;
  /** Number of heads. */
  readonly heads: number;
  /** Keys of a batch row. */
  readonly lengthK: number;
  /** Width of queries and keys. */
  readonly dHead: number;
  /** Width of values; may differ from dHead. */
  readonly dValue: number;
  /** Order of the axes of attention arrays. */
  readonly layout: AttentionLayout;
}

/** Bidirectional, second pass: the rows of the queries against those states. */
export interface FavorQueriesKernel {
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
  /** float32 `[numSequences, heads, numFeatures, dValue + 1]`, read: Σ φ_r(k) v over the keys; column dValue is the normaliser; the true sum is (sums + compensation)·2^scale. */
  readonly sums: Storage;
  /** float32 `[numSequences, heads, numFeatures, dValue + 1]`, read: low-order parts of the sums. */
  readonly compensation: Storage;
  /** float32 `[numSequences, heads, numFeatures]`, read: exponents of two that the sums are divided by, integers or −∞ before the first key. Maps other than exponential have one value for all features. */
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
}

/** Puts the arguments of a kernel into the slots that it reads them from. */
export const fillSlots = {
  gemm_pack(slots: Float64Array, args: GemmPackKernel, at: AddressOf): void {
    slots[0] = at(args.b, 'float32');
    slots[1] = at(args.packed, 'float32');
    slots[2] = args.n;
    slots[3] = args.k;
    slots[4] = args.ldb;
    slots[5] = args.transposeB ? 1 : 0;
    slots[6] = args.batch;
    slots[7] = args.strideB;
  },
  gemm(slots: Float64Array, args: GemmKernel, at: AddressOf): void {
    slots[0] = at(args.a, 'float32');
    slots[1] = at(args.packedB, 'float32');
    slots[2] = args.bias === undefined ? 0 : at(args.bias, 'float32');
    slots[3] = at(args.c, 'float32');
    slots[4] = args.m;
    slots[5] = args.n;
    slots[6] = args.k;
    slots[7] = args.lda;
    slots[8] = args.ldc;
    slots[9] = args.transposeA ? 1 : 0;
    slots[10] = args.batch;
    slots[11] = args.strideA;
    slots[12] = args.strideB;
    slots[13] = args.strideC;
    slots[14] = args.alpha;
    slots[15] = args.accumulate ? 1 : 0;
  },
  gemv(slots: Float64Array, args: GemvKernel, at: AddressOf): void {
    slots[0] = at(args.a, 'float32');
    slots[1] = at(args.b, 'float32');
    slots[2] = args.bias === undefined ? 0 : at(args.bias, 'float32');
    slots[3] = at(args.c, 'float32');
    slots[4] = args.m;
    slots[5] = args.n;
    slots[6] = args.k;
    slots[7] = args.lda;
    slots[8] = args.ldb;
    slots[9] = args.ldc;
    slots[10] = args.transposeB ? 1 : 0;
    slots[11] = args.alpha;
    slots[12] = args.accumulate ? 1 : 0;
  },
  fill(slots: Float64Array, args: FillKernel, at: AddressOf): void {
    slots[0] = at(args.x, 'float32');
    slots[1] = args.x.length;
    slots[2] = args.value;
  },
  add(slots: Float64Array, args: AddKernel, at: AddressOf): void {
    slots[0] = at(args.a, 'float32');
    slots[1] = at(args.b, 'float32');
    slots[2] = at(args.out, 'float32');
    slots[3] = args.out.length;
  },
  axpy(slots: Float64Array, args: AxpyKernel, at: AddressOf): void {
    slots[0] = args.alpha;
    slots[1] = at(args.x, 'float32');
    slots[2] = at(args.y, 'float32');
    slots[3] = args.y.length;
  },
  scale(slots: Float64Array, args: ScaleKernel, at: AddressOf): void {
    slots[0] = at(args.x, 'float32');
    slots[1] = at(args.out, 'float32');
    slots[2] = args.out.length;
    slots[3] = args.alpha;
  },
  scale_rows(slots: Float64Array, args: ScaleRowsArguments, at: AddressOf): void {
    slots[0] = at(args.x, 'float32');
    slots[1] = at(args.factors, 'float32');
    slots[2] = at(args.out, 'float32');
    slots[3] = args.rows;
    slots[4] = args.width;
    slots[5] = args.factors.length;
  },
  activation(slots: Float64Array, args: ActivationKernel, at: AddressOf): void {
    slots[0] = numbers.UnaryKind[args.kind];
    slots[1] = at(args.x, 'float32');
    slots[2] = at(args.out, 'float32');
    slots[3] = args.out.length;
  },
  activation_backward(slots: Float64Array, args: ActivationBackwardKernel, at: AddressOf): void {
    slots[0] = numbers.UnaryKind[args.kind];
    slots[1] = at(args.x, 'float32');
    slots[2] = at(args.dOut, 'float32');
    slots[3] = at(args.dX, 'float32');
    slots[4] = args.dX.length;
  },
  sum_axis(slots: Float64Array, args: SumAxisArguments, at: AddressOf): void {
    slots[0] = at(args.x, 'float32');
    slots[1] = at(args.out, 'float32');
    slots[2] = args.outer;
    slots[3] = args.length;
    slots[4] = args.inner;
    slots[5] = args.accumulate ? 1 : 0;
  },
  squared_norm(slots: Float64Array, args: SquaredNormKernel, at: AddressOf): void {
    slots[0] = at(args.x, 'float32');
    slots[1] = at(args.partials, 'float64');
    slots[2] = args.x.length;
  },
  strided_copy(slots: Float64Array, args: StridedCopyArguments, at: AddressOf): void {
    slots[0] = at(args.x, 'float32');
    slots[1] = at(args.out, 'float32');
    slots[2] = at(args.layout, 'int32');
    slots[3] = args.numAxes;
    slots[4] = args.count;
  },
  binary(slots: Float64Array, args: BinaryArguments, at: AddressOf): void {
    slots[0] = numbers.BinaryKind[args.kind];
    slots[1] = at(args.a, 'float32');
    slots[2] = at(args.b, 'float32');
    slots[3] = at(args.out, 'float32');
    slots[4] = at(args.layout, 'int32');
    slots[5] = args.numAxes;
    slots[6] = args.count;
  },
  select(slots: Float64Array, args: SelectArguments, at: AddressOf): void {
    slots[0] = at(args.condition, 'float32');
    slots[1] = at(args.a, 'float32');
    slots[2] = at(args.b, 'float32');
    slots[3] = at(args.out, 'float32');
    slots[4] = at(args.layout, 'int32');
    slots[5] = args.numAxes;
    slots[6] = args.count;
  },
  softmax(slots: Float64Array, args: SoftmaxArguments, at: AddressOf): void {
    slots[0] = at(args.x, 'float32');
    slots[1] = at(args.out, 'float32');
    slots[2] = args.rows;
    slots[3] = args.width;
    slots[4] = args.isLog ? 1 : 0;
  },
  softmax_backward(slots: Float64Array, args: SoftmaxBackwardArguments, at: AddressOf): void {
    slots[0] = at(args.out, 'float32');
    slots[1] = at(args.dOut, 'float32');
    slots[2] = at(args.dX, 'float32');
    slots[3] = args.rows;
    slots[4] = args.width;
    slots[5] = args.isLog ? 1 : 0;
  },
  layer_norm(slots: Float64Array, args: LayerNormArguments, at: AddressOf): void {
    slots[0] = at(args.x, 'float32');
    slots[1] = at(args.gamma, 'float32');
    slots[2] = at(args.beta, 'float32');
    slots[3] = at(args.out, 'float32');
    slots[4] = at(args.mean, 'float32');
    slots[5] = at(args.inverseDeviation, 'float32');
    slots[6] = args.rows;
    slots[7] = args.width;
    slots[8] = args.epsilon;
  },
  layer_norm_backward(slots: Float64Array, args: LayerNormBackwardKernel, at: AddressOf): void {
    slots[0] = at(args.x, 'float32');
    slots[1] = at(args.gamma, 'float32');
    slots[2] = at(args.mean, 'float32');
    slots[3] = at(args.inverseDeviation, 'float32');
    slots[4] = at(args.dOut, 'float32');
    slots[5] = at(args.dX, 'float32');
    slots[6] = args.rows;
    slots[7] = args.width;
  },
  layer_norm_backward_parameters(slots: Float64Array, args: LayerNormBackwardParametersKernel, at: AddressOf): void {
    slots[0] = at(args.x, 'float32');
    slots[1] = at(args.mean, 'float32');
    slots[2] = at(args.inverseDeviation, 'float32');
    slots[3] = at(args.dOut, 'float32');
    slots[4] = at(args.dGamma, 'float32');
    slots[5] = at(args.dBeta, 'float32');
    slots[6] = args.rows;
    slots[7] = args.width;
  },
  embedding(slots: Float64Array, args: EmbeddingArguments, at: AddressOf): void {
    slots[0] = at(args.table, 'float32');
    slots[1] = at(args.ids, 'int32');
    slots[2] = at(args.out, 'float32');
    slots[3] = args.count;
    slots[4] = args.width;
  },
  embedding_backward(slots: Float64Array, args: EmbeddingBackwardArguments, at: AddressOf): void {
    slots[0] = at(args.ids, 'int32');
    slots[1] = at(args.dOut, 'float32');
    slots[2] = at(args.dTable, 'float32');
    slots[3] = args.count;
    slots[4] = args.width;
  },
  rotary(slots: Float64Array, args: RotaryArguments, at: AddressOf): void {
    slots[0] = at(args.x, 'float32');
    slots[1] = at(args.out, 'float32');
    slots[2] = args.batch;
    slots[3] = args.heads;
    slots[4] = args.length;
    slots[5] = args.dHead;
    slots[6] = numbers.AttentionLayout[args.layout];
    slots[7] = args.offset;
    slots[8] = args.base;
    slots[9] = args.inverse ? 1 : 0;
  },
  dropout(slots: Float64Array, args: DropoutArguments, at: AddressOf): void {
    slots[0] = at(args.x, 'float32');
    slots[1] = at(args.out, 'float32');
    slots[2] = args.out.length;
    slots[3] = args.rate;
    slots[4] = args.seedLow;
    slots[5] = args.seedHigh;
    slots[6] = args.stream;
  },
  softmax_cross_entropy(slots: Float64Array, args: SoftmaxCrossEntropyArguments, at: AddressOf): void {
    slots[0] = at(args.logits, 'float32');
    slots[1] = at(args.targets, 'int32');
    slots[2] = at(args.loss, 'float32');
    slots[3] = args.correct === undefined ? 0 : at(args.correct, 'float32');
    slots[4] = args.dLogits === undefined ? 0 : at(args.dLogits, 'float32');
    slots[5] = args.rows;
    slots[6] = args.vocabSize;
    slots[7] = args.gradientScale;
  },
  softmax_kl_divergence(slots: Float64Array, args: SoftmaxKlDivergenceArguments, at: AddressOf): void {
    slots[0] = at(args.logits, 'float32');
    slots[1] = at(args.targets, 'float32');
    slots[2] = at(args.loss, 'float32');
    slots[3] = args.correct === undefined ? 0 : at(args.correct, 'float32');
    slots[4] = args.dLogits === undefined ? 0 : at(args.dLogits, 'float32');
    slots[5] = args.rows;
    slots[6] = args.vocabSize;
    slots[7] = args.inverseTemperature;
    slots[8] = args.gradientScale;
  },
  adamw(slots: Float64Array, args: AdamwKernel, at: AddressOf): void {
    slots[0] = at(args.parameter, 'float32');
    slots[1] = at(args.gradient, 'float32');
    slots[2] = at(args.firstMoment, 'float32');
    slots[3] = at(args.secondMoment, 'float32');
    slots[4] = args.parameter.length;
    slots[5] = args.learningRate;
    slots[6] = args.beta1;
    slots[7] = args.beta2;
    slots[8] = args.epsilon;
    slots[9] = args.weightDecay;
    slots[10] = args.correction1;
    slots[11] = args.correction2;
    slots[12] = args.gradientScale;
  },
  softmax_attention(slots: Float64Array, args: SoftmaxAttentionArguments, at: AddressOf): void {
    slots[0] = at(args.q, 'float32');
    slots[1] = at(args.k, 'float32');
    slots[2] = at(args.v, 'float32');
    slots[3] = args.keyMask === undefined ? 0 : at(args.keyMask, 'float32');
    slots[4] = at(args.sequences, 'int32');
    slots[5] = at(args.out, 'float32');
    slots[6] = at(args.logSumExp, 'float32');
    slots[7] = args.numSequences;
    slots[8] = args.heads;
    slots[9] = args.lengthQ;
    slots[10] = args.lengthK;
    slots[11] = args.dHead;
    slots[12] = args.dValue;
    slots[13] = numbers.AttentionLayout[args.layout];
    slots[14] = args.causal ? 1 : 0;
    slots[15] = args.scale;
    slots[16] = args.normalise ? 1 : 0;
    slots[17] = args.block ?? 0;
    slots[18] = args.sinks ?? 0;
  },
  softmax_attention_backward(slots: Float64Array, args: SoftmaxAttentionBackwardArguments, at: AddressOf): void {
    slots[0] = at(args.q, 'float32');
    slots[1] = at(args.k, 'float32');
    slots[2] = at(args.v, 'float32');
    slots[3] = args.keyMask === undefined ? 0 : at(args.keyMask, 'float32');
    slots[4] = at(args.sequences, 'int32');
    slots[5] = at(args.out, 'float32');
    slots[6] = at(args.logSumExp, 'float32');
    slots[7] = at(args.dOut, 'float32');
    slots[8] = at(args.dQ, 'float32');
    slots[9] = at(args.dK, 'float32');
    slots[10] = at(args.dV, 'float32');
    slots[11] = args.numSequences;
    slots[12] = args.heads;
    slots[13] = args.lengthQ;
    slots[14] = args.lengthK;
    slots[15] = args.dHead;
    slots[16] = args.dValue;
    slots[17] = numbers.AttentionLayout[args.layout];
    slots[18] = args.causal ? 1 : 0;
    slots[19] = args.scale;
    slots[20] = args.normalise ? 1 : 0;
    slots[21] = args.block ?? 0;
    slots[22] = args.sinks ?? 0;
  },
  lsh_sort(slots: Float64Array, args: LshSortArguments, at: AddressOf): void {
    slots[0] = at(args.q, 'float32');
    slots[1] = at(args.rotations, 'float32');
    slots[2] = args.keyMask === undefined ? 0 : at(args.keyMask, 'float32');
    slots[3] = at(args.sequences, 'int32');
    slots[4] = at(args.order, 'int32');
    slots[5] = at(args.chunks, 'int32');
    slots[6] = args.numSequences;
    slots[7] = args.batch;
    slots[8] = args.heads;
    slots[9] = args.length;
    slots[10] = args.dHead;
    slots[11] = numbers.AttentionLayout[args.layout];
    slots[12] = args.causal ? 1 : 0;
    slots[13] = args.numHashes;
    slots[14] = args.numBuckets;
    slots[15] = args.numRotations;
    slots[16] = args.chunkLength;
  },
  lsh_attention(slots: Float64Array, args: LshAttentionKernel, at: AddressOf): void {
    slots[0] = at(args.q, 'float32');
    slots[1] = at(args.v, 'float32');
    slots[2] = args.keyMask === undefined ? 0 : at(args.keyMask, 'float32');
    slots[3] = at(args.sequences, 'int32');
    slots[4] = at(args.order, 'int32');
    slots[5] = at(args.chunks, 'int32');
    slots[6] = at(args.out, 'float32');
    slots[7] = at(args.references, 'float32');
    slots[8] = at(args.sums, 'float32');
    slots[9] = args.numSequences;
    slots[10] = args.batch;
    slots[11] = args.heads;
    slots[12] = args.length;
    slots[13] = args.dHead;
    slots[14] = args.dValue;
    slots[15] = numbers.AttentionLayout[args.layout];
    slots[16] = args.causal ? 1 : 0;
    slots[17] = args.scale;
    slots[18] = args.chunkLength;
    slots[19] = args.numHashes;
    slots[20] = args.hash;
  },
  lsh_attention_backward(slots: Float64Array, args: LshAttentionBackwardKernel, at: AddressOf): void {
    slots[0] = at(args.q, 'float32');
    slots[1] = at(args.v, 'float32');
    slots[2] = args.keyMask === undefined ? 0 : at(args.keyMask, 'float32');
    slots[3] = at(args.sequences, 'int32');
    slots[4] = at(args.order, 'int32');
    slots[5] = at(args.chunks, 'int32');
    slots[6] = at(args.out, 'float32');
    slots[7] = at(args.references, 'float32');
    slots[8] = at(args.sums, 'float32');
    slots[9] = at(args.dOut, 'float32');
    slots[10] = at(args.dQ, 'float32');
    slots[11] = at(args.dV, 'float32');
    slots[12] = args.numSequences;
    slots[13] = args.batch;
    slots[14] = args.heads;
    slots[15] = args.length;
    slots[16] = args.dHead;
    slots[17] = args.dValue;
    slots[18] = numbers.AttentionLayout[args.layout];
    slots[19] = args.causal ? 1 : 0;
    slots[20] = args.scale;
    slots[21] = args.chunkLength;
    slots[22] = args.numHashes;
    slots[23] = args.hash;
  },
  favor_features(slots: Float64Array, args: FavorFeaturesArguments, at: AddressOf): void {
    slots[0] = at(args.x, 'float32');
    slots[1] = at(args.projection, 'float32');
    slots[2] = args.bias === undefined ? 0 : at(args.bias, 'float32');
    slots[3] = args.numFeatures;
    slots[4] = numbers.ProjectionForm[args.form];
    slots[5] = args.factors;
    slots[6] = args.directions;
    slots[7] = numbers.FeatureMapKind[args.map];
    slots[8] = args.epsilon;
    slots[9] = at(args.out, 'float32');
    slots[10] = args.batch;
    slots[11] = args.heads;
    slots[12] = args.length;
    slots[13] = args.dHead;
    slots[14] = numbers.AttentionLayout[args.layout];
  },
  favor_keys(slots: Float64Array, args: FavorKeysKernel, at: AddressOf): void {
    slots[0] = at(args.k, 'float32');
    slots[1] = at(args.v, 'float32');
    slots[2] = args.keyMask === undefined ? 0 : at(args.keyMask, 'float32');
    slots[3] = at(args.sequences, 'int32');
    slots[4] = at(args.projection, 'float32');
    slots[5] = args.bias === undefined ? 0 : at(args.bias, 'float32');
    slots[6] = args.numFeatures;
    slots[7] = numbers.ProjectionForm[args.form];
    slots[8] = args.factors;
    slots[9] = args.directions;
    slots[10] = numbers.FeatureMapKind[args.map];
    slots[11] = args.epsilon;
    slots[12] = at(args.sums, 'float32');
    slots[13] = at(args.compensation, 'float32');
    slots[14] = at(args.scales, 'float32');
    slots[15] = args.numSequences;
    slots[16] = args.heads;
    slots[17] = args.lengthK;
    slots[18] = args.dHead;
    slots[19] = args.dValue;
    slots[20] = numbers.AttentionLayout[args.layout];
  },
  favor_queries(slots: Float64Array, args: FavorQueriesKernel, at: AddressOf): void {
    slots[0] = at(args.q, 'float32');
    slots[1] = at(args.sequences, 'int32');
    slots[2] = at(args.projection, 'float32');
    slots[3] = args.bias === undefined ? 0 : at(args.bias, 'float32');
    slots[4] = args.numFeatures;
    slots[5] = numbers.ProjectionForm[args.form];
    slots[6] = args.factors;
    slots[7] = args.directions;
    slots[8] = numbers.FeatureMapKind[args.map];
    slots[9] = args.epsilon;
    slots[10] = at(args.sums, 'float32');
    slots[11] = at(args.compensation, 'float32');
    slots[12] = at(args.scales, 'float32');
    slots[13] = at(args.out, 'float32');
    slots[14] = at(args.denominator, 'float32');
    slots[15] = args.numSequences;
    slots[16] = args.heads;
    slots[17] = args.lengthQ;
    slots[18] = args.dHead;
    slots[19] = args.dValue;
    slots[20] = numbers.AttentionLayout[args.layout];
    slots[21] = args.weight;
    slots[22] = args.stabiliser;
  },
  favor_backward(slots: Float64Array, args: FavorBackwardArguments, at: AddressOf): void {
    slots[0] = at(args.q, 'float32');
    slots[1] = at(args.k, 'float32');
    slots[2] = at(args.v, 'float32');
    slots[3] = args.keyMask === undefined ? 0 : at(args.keyMask, 'float32');
    slots[4] = at(args.sequences, 'int32');
    slots[5] = at(args.projection, 'float32');
    slots[6] = args.bias === undefined ? 0 : at(args.bias, 'float32');
    slots[7] = args.numFeatures;
    slots[8] = numbers.ProjectionForm[args.form];
    slots[9] = args.factors;
    slots[10] = args.directions;
    slots[11] = numbers.FeatureMapKind[args.map];
    slots[12] = args.epsilon;
    slots[13] = at(args.sums, 'float32');
    slots[14] = at(args.compensation, 'float32');
    slots[15] = at(args.scales, 'float32');
    slots[16] = at(args.out, 'float32');
    slots[17] = at(args.denominator, 'float32');
    slots[18] = at(args.dOut, 'float32');
    slots[19] = at(args.dQ, 'float32');
    slots[20] = at(args.dK, 'float32');
    slots[21] = at(args.dV, 'float32');
    slots[22] = args.numSequences;
    slots[23] = args.heads;
    slots[24] = args.lengthQ;
    slots[25] = args.lengthK;
    slots[26] = args.dHead;
    slots[27] = args.dValue;
    slots[28] = numbers.AttentionLayout[args.layout];
    slots[29] = args.weight;
  },
  favor_causal(slots: Float64Array, args: FavorCausalArguments, at: AddressOf): void {
    slots[0] = at(args.q, 'float32');
    slots[1] = at(args.k, 'float32');
    slots[2] = at(args.v, 'float32');
    slots[3] = args.keyMask === undefined ? 0 : at(args.keyMask, 'float32');
    slots[4] = at(args.sequences, 'int32');
    slots[5] = at(args.projection, 'float32');
    slots[6] = args.bias === undefined ? 0 : at(args.bias, 'float32');
    slots[7] = args.numFeatures;
    slots[8] = numbers.ProjectionForm[args.form];
    slots[9] = args.factors;
    slots[10] = args.directions;
    slots[11] = numbers.FeatureMapKind[args.map];
    slots[12] = args.epsilon;
    slots[13] = args.sums === undefined ? 0 : at(args.sums, 'float32');
    slots[14] = args.compensation === undefined ? 0 : at(args.compensation, 'float32');
    slots[15] = args.scales === undefined ? 0 : at(args.scales, 'float32');
    slots[16] = at(args.out, 'float32');
    slots[17] = at(args.denominator, 'float32');
    slots[18] = args.snapshots === undefined ? 0 : at(args.snapshots, 'float32');
    slots[19] = args.numSequences;
    slots[20] = args.heads;
    slots[21] = args.lengthQ;
    slots[22] = args.lengthK;
    slots[23] = args.dHead;
    slots[24] = args.dValue;
    slots[25] = numbers.AttentionLayout[args.layout];
    slots[26] = args.updateState ? 1 : 0;
    slots[27] = args.weight;
    slots[28] = args.stabiliser;
  },
  favor_causal_backward(slots: Float64Array, args: FavorCausalBackwardArguments, at: AddressOf): void {
    slots[0] = at(args.q, 'float32');
    slots[1] = at(args.k, 'float32');
    slots[2] = at(args.v, 'float32');
    slots[3] = args.keyMask === undefined ? 0 : at(args.keyMask, 'float32');
    slots[4] = at(args.sequences, 'int32');
    slots[5] = at(args.projection, 'float32');
    slots[6] = args.bias === undefined ? 0 : at(args.bias, 'float32');
    slots[7] = args.numFeatures;
    slots[8] = numbers.ProjectionForm[args.form];
    slots[9] = args.factors;
    slots[10] = args.directions;
    slots[11] = numbers.FeatureMapKind[args.map];
    slots[12] = args.epsilon;
    slots[13] = at(args.out, 'float32');
    slots[14] = at(args.denominator, 'float32');
    slots[15] = at(args.snapshots, 'float32');
    slots[16] = at(args.dOut, 'float32');
    slots[17] = at(args.dQ, 'float32');
    slots[18] = at(args.dK, 'float32');
    slots[19] = at(args.dV, 'float32');
    slots[20] = args.numSequences;
    slots[21] = args.heads;
    slots[22] = args.lengthQ;
    slots[23] = args.lengthK;
    slots[24] = args.dHead;
    slots[25] = args.dValue;
    slots[26] = numbers.AttentionLayout[args.layout];
    slots[27] = args.weight;
  },
  far_field(slots: Float64Array, args: FarFieldArguments, at: AddressOf): void {
    slots[0] = at(args.q, 'float32');
    slots[1] = at(args.k, 'float32');
    slots[2] = at(args.v, 'float32');
    slots[3] = args.keyMask === undefined ? 0 : at(args.keyMask, 'float32');
    slots[4] = at(args.sequences, 'int32');
    slots[5] = at(args.projection, 'float32');
    slots[6] = args.bias === undefined ? 0 : at(args.bias, 'float32');
    slots[7] = args.numFeatures;
    slots[8] = numbers.ProjectionForm[args.form];
    slots[9] = args.factors;
    slots[10] = args.directions;
    slots[11] = args.gain === undefined ? 0 : at(args.gain, 'float32');
    slots[12] = args.sums === undefined ? 0 : at(args.sums, 'float32');
    slots[13] = args.compensation === undefined ? 0 : at(args.compensation, 'float32');
    slots[14] = args.scales === undefined ? 0 : at(args.scales, 'float32');
    slots[15] = at(args.out, 'float32');
    slots[16] = at(args.logSumExp, 'float32');
    slots[17] = at(args.shares, 'float32');
    slots[18] = args.kept === undefined ? 0 : at(args.kept, 'float32');
    slots[19] = args.snapshots === undefined ? 0 : at(args.snapshots, 'float32');
    slots[20] = args.numSequences;
    slots[21] = args.heads;
    slots[22] = args.lengthQ;
    slots[23] = args.lengthK;
    slots[24] = args.dHead;
    slots[25] = args.dValue;
    slots[26] = numbers.AttentionLayout[args.layout];
    slots[27] = args.block;
    slots[28] = args.sinks ?? 0;
    slots[29] = args.reverse ? 1 : 0;
    slots[30] = args.weight;
    slots[31] = args.updateState ? 1 : 0;
  },
  far_field_backward(slots: Float64Array, args: FarFieldBackwardArguments, at: AddressOf): void {
    slots[0] = at(args.q, 'float32');
    slots[1] = at(args.k, 'float32');
    slots[2] = at(args.v, 'float32');
    slots[3] = args.keyMask === undefined ? 0 : at(args.keyMask, 'float32');
    slots[4] = at(args.sequences, 'int32');
    slots[5] = at(args.projection, 'float32');
    slots[6] = args.bias === undefined ? 0 : at(args.bias, 'float32');
    slots[7] = args.numFeatures;
    slots[8] = numbers.ProjectionForm[args.form];
    slots[9] = args.factors;
    slots[10] = args.directions;
    slots[11] = args.gain === undefined ? 0 : at(args.gain, 'float32');
    slots[12] = at(args.out, 'float32');
    slots[13] = at(args.shares, 'float32');
    slots[14] = at(args.snapshots, 'float32');
    slots[15] = at(args.dOut, 'float32');
    slots[16] = at(args.dQ, 'float32');
    slots[17] = at(args.dK, 'float32');
    slots[18] = at(args.dV, 'float32');
    slots[19] = at(args.dGain, 'float32');
    slots[20] = args.numSequences;
    slots[21] = args.heads;
    slots[22] = args.lengthQ;
    slots[23] = args.lengthK;
    slots[24] = args.dHead;
    slots[25] = args.dValue;
    slots[26] = numbers.AttentionLayout[args.layout];
    slots[27] = args.block;
    slots[28] = args.sinks ?? 0;
    slots[29] = args.reverse ? 1 : 0;
    slots[30] = args.weight;
  },
  near_mass(slots: Float64Array, args: NearMassArguments, at: AddressOf): void {
    slots[0] = at(args.q, 'float32');
    slots[1] = at(args.k, 'float32');
    slots[2] = args.keyMask === undefined ? 0 : at(args.keyMask, 'float32');
    slots[3] = at(args.sequences, 'int32');
    slots[4] = at(args.projection, 'float32');
    slots[5] = args.bias === undefined ? 0 : at(args.bias, 'float32');
    slots[6] = args.numFeatures;
    slots[7] = numbers.ProjectionForm[args.form];
    slots[8] = args.factors;
    slots[9] = args.directions;
    slots[10] = at(args.logMass, 'float32');
    slots[11] = args.numSequences;
    slots[12] = args.heads;
    slots[13] = args.lengthQ;
    slots[14] = args.lengthK;
    slots[15] = args.dHead;
    slots[16] = numbers.AttentionLayout[args.layout];
    slots[17] = args.causal ? 1 : 0;
    slots[18] = args.block;
    slots[19] = args.sinks ?? 0;
    slots[20] = args.weight;
  },
  near_mass_backward(slots: Float64Array, args: NearMassBackwardArguments, at: AddressOf): void {
    slots[0] = at(args.q, 'float32');
    slots[1] = at(args.k, 'float32');
    slots[2] = args.keyMask === undefined ? 0 : at(args.keyMask, 'float32');
    slots[3] = at(args.sequences, 'int32');
    slots[4] = at(args.projection, 'float32');
    slots[5] = args.bias === undefined ? 0 : at(args.bias, 'float32');
    slots[6] = args.numFeatures;
    slots[7] = numbers.ProjectionForm[args.form];
    slots[8] = args.factors;
    slots[9] = args.directions;
    slots[10] = at(args.nearOut, 'float32');
    slots[11] = at(args.out, 'float32');
    slots[12] = at(args.kept, 'float32');
    slots[13] = at(args.dOut, 'float32');
    slots[14] = at(args.dQ, 'float32');
    slots[15] = at(args.dK, 'float32');
    slots[16] = args.dValue;
    slots[17] = args.numSequences;
    slots[18] = args.heads;
    slots[19] = args.lengthQ;
    slots[20] = args.lengthK;
    slots[21] = args.dHead;
    slots[22] = numbers.AttentionLayout[args.layout];
    slots[23] = args.causal ? 1 : 0;
    slots[24] = args.block;
    slots[25] = args.sinks ?? 0;
    slots[26] = args.weight;
  },
  favor_step(slots: Float64Array, args: FavorStepArguments, at: AddressOf): void {
    slots[0] = at(args.q, 'float32');
    slots[1] = at(args.k, 'float32');
    slots[2] = at(args.v, 'float32');
    slots[3] = at(args.projection, 'float32');
    slots[4] = args.bias === undefined ? 0 : at(args.bias, 'float32');
    slots[5] = args.numFeatures;
    slots[6] = numbers.ProjectionForm[args.form];
    slots[7] = args.factors;
    slots[8] = args.directions;
    slots[9] = numbers.FeatureMapKind[args.map];
    slots[10] = args.epsilon;
    slots[11] = at(args.sums, 'float32');
    slots[12] = at(args.compensation, 'float32');
    slots[13] = at(args.scales, 'float32');
    slots[14] = at(args.out, 'float32');
    slots[15] = args.batch;
    slots[16] = args.heads;
    slots[17] = args.dHead;
    slots[18] = args.dValue;
    slots[19] = args.weight;
    slots[20] = args.stabiliser;
  },
  peak(slots: Float64Array, args: PeakArguments, at: AddressOf): void {
    slots[0] = at(args.out, 'float32');
    slots[1] = args.iterations;
    slots[2] = args.out.length;
  },
} as const;

export type KernelArguments<K extends KernelName> = Parameters<(typeof fillSlots)[K]>[1];

/** The calls of a backend that are one kernel each. */
export abstract class SingleKernels
  implements
    Pick<
      Operations,
      | 'fill'
      | 'add'
      | 'axpy'
      | 'scale'
      | 'scaleRows'
      | 'activation'
      | 'activationBackward'
      | 'sumAxis'
      | 'stridedCopy'
      | 'binary'
      | 'select'
      | 'softmax'
      | 'softmaxBackward'
      | 'layerNorm'
      | 'embedding'
      | 'embeddingBackward'
      | 'rotary'
      | 'dropout'
      | 'softmaxCrossEntropy'
      | 'softmaxKlDivergence'
      | 'softmaxAttention'
      | 'softmaxAttentionBackward'
      | 'lshSort'
      | 'favorFeatures'
      | 'favorBackward'
      | 'favorCausal'
      | 'favorCausalBackward'
      | 'farField'
      | 'farFieldBackward'
      | 'nearMass'
      | 'nearMassBackward'
      | 'favorStep'
      | 'peak'
    >
{
  protected abstract run<K extends KernelName>(kernel: K, args: KernelArguments<K>): void;

  fill(x: Storage, value: number): void {
    this.run('fill', { x, value });
  }

  add(a: Storage, b: Storage, out: Storage): void {
    this.run('add', { a, b, out });
  }

  axpy(alpha: number, x: Storage, y: Storage): void {
    this.run('axpy', { alpha, x, y });
  }

  scale(x: Storage, out: Storage, alpha: number): void {
    this.run('scale', { x, out, alpha });
  }

  scaleRows(args: ScaleRowsArguments): void {
    this.run('scale_rows', args);
  }

  activation(kind: UnaryKind, x: Storage, out: Storage): void {
    this.run('activation', { kind, x, out });
  }

  activationBackward(kind: UnaryKind, x: Storage, dOut: Storage, dX: Storage): void {
    this.run('activation_backward', { kind, x, dOut, dX });
  }

  sumAxis(args: SumAxisArguments): void {
    this.run('sum_axis', args);
  }

  stridedCopy(args: StridedCopyArguments): void {
    this.run('strided_copy', args);
  }

  binary(args: BinaryArguments): void {
    this.run('binary', args);
  }

  select(args: SelectArguments): void {
    this.run('select', args);
  }

  softmax(args: SoftmaxArguments): void {
    this.run('softmax', args);
  }

  softmaxBackward(args: SoftmaxBackwardArguments): void {
    this.run('softmax_backward', args);
  }

  layerNorm(args: LayerNormArguments): void {
    this.run('layer_norm', args);
  }

  embedding(args: EmbeddingArguments): void {
    this.run('embedding', args);
  }

  embeddingBackward(args: EmbeddingBackwardArguments): void {
    this.run('embedding_backward', args);
  }

  rotary(args: RotaryArguments): void {
    this.run('rotary', args);
  }

  dropout(args: DropoutArguments): void {
    this.run('dropout', args);
  }

  softmaxCrossEntropy(args: SoftmaxCrossEntropyArguments): void {
    this.run('softmax_cross_entropy', args);
  }

  softmaxKlDivergence(args: SoftmaxKlDivergenceArguments): void {
    this.run('softmax_kl_divergence', args);
  }

  softmaxAttention(args: SoftmaxAttentionArguments): void {
    this.run('softmax_attention', args);
  }

  softmaxAttentionBackward(args: SoftmaxAttentionBackwardArguments): void {
    this.run('softmax_attention_backward', args);
  }

  lshSort(args: LshSortArguments): void {
    this.run('lsh_sort', args);
  }

  favorFeatures(args: FavorFeaturesArguments): void {
    this.run('favor_features', args);
  }

  favorBackward(args: FavorBackwardArguments): void {
    this.run('favor_backward', args);
  }

  favorCausal(args: FavorCausalArguments): void {
    this.run('favor_causal', args);
  }

  favorCausalBackward(args: FavorCausalBackwardArguments): void {
    this.run('favor_causal_backward', args);
  }

  farField(args: FarFieldArguments): void {
    this.run('far_field', args);
  }

  farFieldBackward(args: FarFieldBackwardArguments): void {
    this.run('far_field_backward', args);
  }

  nearMass(args: NearMassArguments): void {
    this.run('near_mass', args);
  }

  nearMassBackward(args: NearMassBackwardArguments): void {
    this.run('near_mass_backward', args);
  }

  favorStep(args: FavorStepArguments): void {
    this.run('favor_step', args);
  }

  peak(args: PeakArguments): void {
    this.run('peak', args);
  }
}
