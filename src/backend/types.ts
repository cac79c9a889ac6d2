/**
 * The interface between numeric code and everything above it. A backend owns memory behind opaque {@link Storage}
 * handles and runs the kernels of `kernels/description.mjs`; nothing above this layer sees a pointer or a typed array until
 * it awaits {@link Backend.read}.
 *
 * Promises every backend makes:
 * - Calls take effect in the order they are made.
 * - A call that is given anything wrong, such as an id beyond its table, throws a PerformersError before it writes.
 * - Results depend on neither the number of threads nor earlier calls.
 */

import type { DataType, NumberArray } from './numbers.ts';

export type { DataType };

/** Numbers read from a backend: Float32Array, but Float64Array from the reference backend. */
export type FloatArray = Float32Array | Float64Array;

/** Memory owned by a backend. Opaque: only the backend that made it can read it. */
export interface Storage {
  readonly type: DataType;
  /** Number of elements. */
  readonly length: number;
}

/** Which axes an attention array has: `[batch, heads, length, d]` or `[batch, length, heads, d]`. */
export type AttentionLayout = 'bhld' | 'blhd';

export type ActivationKind = 'relu' | 'gelu' | 'geluTanh' | 'tanh';

/** `c[i] = alpha · op(a[i]) op(b[i]) + bias (+ c[i])`, row-major; strides in elements, 0 = shared by the batch. */
export interface GemmArguments {
  readonly a: Storage;
  readonly b: Storage;
  readonly c: Storage;
  /** `[n]`, added to every row. */
  readonly bias?: Storage | undefined;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** `a` is `[k, m]` instead of `[m, k]`. Default false. */
  readonly transposeA?: boolean;
  /** `b` is `[n, k]` instead of `[k, n]`. Default false. */
  readonly transposeB?: boolean;
  /** Default 1. */
  readonly batch?: number;
  /** Elements from one batch entry to the next. Defaults: dense. */
  readonly strideA?: number;
  readonly strideB?: number;
  readonly strideC?: number;
  /** Leading dimensions (elements from one stored row to the next). Defaults: dense. */
  readonly lda?: number;
  readonly ldb?: number;
  readonly ldc?: number;
  /** Default 1. */
  readonly alpha?: number;
  /** Add to `c` instead of overwriting it. Default false. */
  readonly accumulate?: boolean;
}

/** Columns of a table of runs. */
export const RUN_COLUMNS = 6;

/** Sizes shared by all attention kernels. */
export interface AttentionSizes {
  readonly heads: number;
  readonly lengthQ: number;
  readonly lengthK: number;
  readonly dHead: number;
  readonly dValue: number;
  readonly layout: AttentionLayout;
  /** Number of rows of `runs`. */
  readonly numRuns: number;
}

/** Arrays shared by all attention kernels; shapes and meaning as in `kernels/description.mjs`. */
export interface AttentionArrays extends AttentionSizes {
  readonly q: Storage;
  readonly k: Storage;
  readonly v: Storage;
  /** float32 `[batch, lengthK]`: 1 = valid, 0 = masked. */
  readonly keyMask?: Storage | undefined;
  /** int32 `[numRuns, 6]`: batch, queryStart, queryLength, keyStart, keyLength, offset. */
  readonly runs: Storage;
}

/** Gradient arrays of an attention kernel. Rows outside every run are left as they were. */
export interface AttentionGradients {
  readonly out: Storage;
  readonly dOut: Storage;
  readonly dQ: Storage;
  readonly dK: Storage;
  readonly dV: Storage;
}

/**
 * Feature maps of the kernels, in the order of their numbers: with u = W x̂ + b and D = ‖x̂‖²/2, `exponential` is
 * exp(u − D), `sine` is sin(u)·exp(D), the others are f(u) + epsilon.
 */
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

/** How a projection W is stored, in the order of the kernels' numbers: as a matrix, or as factors applied in turn. */
export const projectionForms = ['dense', 'hadamard', 'givens'] as const;
export type ProjectionForm = (typeof projectionForms)[number];

/** What defines a kernel estimate `K(x, y) = Σ_r φ_r(x) φ_r(y)`; meaning and shapes as in `kernels/description.mjs`. */
export interface Estimator {
  readonly numFeatures: number;
  readonly map: FeatureMapKind;
  /** Added to every feature of a map other than `exponential` and `sine`. */
  readonly epsilon: number;
  readonly form: ProjectionForm;
  /** Factors (diagonals, rotations) of each block of a projection that is not dense; else 0. */
  readonly factors: number;
  /** Distinct directions: feature r has the direction `r mod directions`. */
  readonly directions: number;
}

/** An estimator with its numbers. */
export interface FavorFeatures extends Estimator {
  /** `dense`: `[numFeatures, dHead]`; otherwise the factors of all blocks, then `numFeatures` lengths. */
  readonly projection: Storage;
  /** `[numFeatures]`, added to W x̂. */
  readonly bias?: Storage | undefined;
}

/** How a FAVOR+ kernel forms a row of the result. */
export interface FavorResult {
  /** 0: rows are divided by their sums over the keys; otherwise out = weight·Σ_j K(q, k_j) v_j. */
  readonly weight: number;
  /** A denominator whose size is at most this gains twice this. */
  readonly stabiliser: number;
}

/** FAVOR+ states: `sums`, `compensation` `[…, heads, numFeatures, dValue + 1]`, `scales` `[…, heads, numFeatures]`. */
export interface FavorStateArrays {
  readonly sums: Storage;
  readonly compensation: Storage;
  readonly scales: Storage;
}

/** How exact attention forms scores and rows. */
export interface SoftmaxOptions {
  readonly causal: boolean;
  /** Multiplies q·k. */
  readonly scale: number;
  /** False: out = Σ_j exp(scale·q·k_j) v_j, not divided by the row's sum. */
  readonly normalise: boolean;
}

/**
 * Arrays shared by the kernels of LSH attention, where queries serve as keys too, at unit length; shapes and meaning as in
 * `kernels/description.mjs`. Every run has its keys where its queries are.
 */
export interface LshArrays {
  /** `[batch, heads, length, dHead]`, or with layout `blhd` `[batch, length, heads, dHead]`. */
  readonly q: Storage;
  readonly v: Storage;
  /** float32 `[batch, length]`: 1 = valid, 0 = masked: neither sees nor is seen. */
  readonly keyMask?: Storage | undefined;
  /** int32 `[numRuns, 6]` as for the other attentions; only batch, queryStart and queryLength count. */
  readonly runs: Storage;
  /** int32 `[numHashes, batch, heads, length]`: the position, within its run, in every slot of the run's sorted order. */
  readonly order: Storage;
  /** int32, same shape, by position: in a hash, query i sees the keys j of which `0 ≤ chunks[i] − chunks[j] ≤ 1`. */
  readonly chunks: Storage;
  readonly numRuns: number;
  readonly batch: number;
  readonly heads: number;
  readonly length: number;
  readonly dHead: number;
  readonly dValue: number;
  readonly layout: AttentionLayout;
  /** Query i sees keys j < i only. */
  readonly causal: boolean;
  /** Most positions in a chunk. */
  readonly chunkLength: number;
  readonly numHashes: number;
}

export interface AdamWArguments {
  readonly parameter: Storage;
  readonly gradient: Storage;
  readonly firstMoment: Storage;
  readonly secondMoment: Storage;
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** 1-based number of this update, for bias correction. */
  readonly step: number;
  /** Multiplies the gradient (clipping, averaging). */
  readonly gradientScale: number;
}

export type BackendName = 'native' | 'wasm' | 'reference';

export interface Backend {
  readonly name: BackendName;
  /** One line for people, such as `native avx512, 2 threads`. */
  readonly description: string;
  readonly numThreads: number;
  /** Bytes held now, cached free blocks included. */
  readonly bytesAllocated: number;

  /** New memory with undefined contents. @throws when memory is exhausted. */
  allocate(length: number, type?: DataType): Storage;
  /**
   * Copies numbers in.
   *
   * @param type default: int32 for typed arrays of integers and for bigint, float32 for typed arrays of floats and for plain
   *   arrays of numbers. A Uint16Array holds integers, even where half-precision floats were read as such.
   * @throws DataError for a number that `type` cannot hold; fractions are rounded to float32.
   */
  upload(data: NumberArray, type?: 'float32' | 'int32'): Storage;
  /** Overwrites existing memory from element `offset` on, with numbers converted to its type as by {@link Backend.upload}. */
  write(storage: Storage, data: NumberArray, offset?: number): void;
  /** Copies numbers out, after all earlier calls. float64 storage and the reference backend give Float64Array. */
  read(storage: Storage): Promise<FloatArray>;
  /** A window onto `storage` that shares its memory and needs no release. */
  slice(storage: Storage, offset: number, length: number): Storage;
  /** Returns memory; `storage` and its slices must not be used again. */
  release(storage: Storage): void;
  /** Gives cached free blocks back to the system, as after a pass much larger than what follows. */
  trim(): void;
  /** Ends threads and frees everything. */
  close(): void;

  copy(source: Storage, target: Storage): void;
  gemm(args: GemmArguments): void;
  fill(x: Storage, value: number): void;
  add(a: Storage, b: Storage, out: Storage): void;
  axpy(alpha: number, x: Storage, y: Storage): void;
  multiply(a: Storage, b: Storage, out: Storage): void;
  scale(x: Storage, out: Storage, alpha: number): void;
  /**
   * `out[r] = factors[r mod factors.length]·x[r]` over rows of `width`; a factor of 0 gives zeros whatever x holds. `out` may
   * be `x`.
   */
  scaleRows(args: { x: Storage; factors: Storage; out: Storage; rows: number; width: number }): void;
  activation(kind: ActivationKind, x: Storage, out: Storage): void;
  activationBackward(kind: ActivationKind, x: Storage, dOut: Storage, dX: Storage): void;
  /** `out[c] (+)= Σ_r x[r, c]`. */
  columnSum(args: { x: Storage; out: Storage; rows: number; columns: number; accumulate?: boolean }): void;
  /** Σ x². Waits for earlier calls. */
  squaredNorm(x: Storage): Promise<number>;
  layerNorm(args: {
    x: Storage;
    gamma: Storage;
    beta: Storage;
    out: Storage;
    mean: Storage;
    inverseDeviation: Storage;
    rows: number;
    width: number;
    epsilon: number;
  }): void;
  /** Writes dX, dGamma and dBeta (overwrites). */
  layerNormBackward(args: {
    x: Storage;
    gamma: Storage;
    mean: Storage;
    inverseDeviation: Storage;
    dOut: Storage;
    dX: Storage;
    dGamma: Storage;
    dBeta: Storage;
    rows: number;
    width: number;
  }): void;
  embedding(args: { table: Storage; ids: Storage; out: Storage; count: number; width: number }): void;
  /** Adds to dTable. */
  embeddingBackward(args: { ids: Storage; dOut: Storage; dTable: Storage; count: number; width: number }): void;
  rotary(args: {
    x: Storage;
    out: Storage;
    batch: number;
    heads: number;
    length: number;
    dHead: number;
    layout: AttentionLayout;
    offset: number;
    base: number;
    inverse: boolean;
  }): void;
  /** Counter-based: the same seed and stream drop the same elements, forwards and backwards, on every backend. */
  dropout(args: {
    x: Storage;
    out: Storage;
    rate: number;
    seed: readonly [low: number, high: number];
    stream: number;
  }): void;
  softmaxCrossEntropy(args: {
    logits: Storage;
    targets: Storage;
    loss: Storage;
    correct?: Storage | undefined;
    dLogits?: Storage | undefined;
    rows: number;
    vocabSize: number;
    gradientScale: number;
  }): void;
  /** Divergence of softmax(logits/T) from softmax(targets/T); dLogits may be the memory of either. */
  softmaxKlDivergence(args: {
    logits: Storage;
    targets: Storage;
    loss: Storage;
    correct?: Storage | undefined;
    dLogits?: Storage | undefined;
    rows: number;
    vocabSize: number;
    /** 1/T. */
    inverseTemperature: number;
    gradientScale: number;
  }): void;
  adamW(args: AdamWArguments): void;

  softmaxAttention(args: AttentionArrays & SoftmaxOptions & { out: Storage; logSumExp: Storage }): void;
  softmaxAttentionBackward(args: AttentionArrays & AttentionGradients & SoftmaxOptions & { logSumExp: Storage }): void;
  /** Sorts every run by hash buckets and cuts it into chunks: fills `order` and `chunks`. */
  lshSort(
    args: Omit<LshArrays, 'v' | 'dValue'> & {
      /** `[numHashes, numRotations, dHead]`: a bucket is the argmax of `[R q; −R q]`. */
      rotations: Storage;
      numRotations: number;
      /** Even. Bidirectional: the most; as many are used as make the least even number ≥ valid positions / chunkLength. */
      numBuckets: number;
    },
  ): void;
  /** `references` and `sums` `[batch, heads, length]`: each row's largest score, and Σ exp(score − reference). */
  lshAttention(args: LshArrays & { scale: number; out: Storage; references: Storage; sums: Storage }): void;
  /** dQ is the gradient of q in both roles. */
  lshAttentionBackward(
    args: LshArrays & {
      scale: number;
      out: Storage;
      references: Storage;
      sums: Storage;
      dOut: Storage;
      dQ: Storage;
      dV: Storage;
    },
  ): void;
  /** log φ for the map `exponential`, sin(u) for `sine`, φ for the others: `[batch, heads, length, numFeatures]`. */
  favorFeatures(
    args: FavorFeatures & {
      x: Storage;
      out: Storage;
      batch: number;
      heads: number;
      length: number;
      dHead: number;
      layout: AttentionLayout;
    },
  ): void;
  /** Bidirectional: fills `state` from the keys, then `out` and `denominator` from the queries. */
  favor(
    args: AttentionArrays & FavorFeatures & FavorResult & FavorStateArrays & { out: Storage; denominator: Storage },
  ): void;
  favorBackward(
    args: AttentionArrays &
      AttentionGradients &
      FavorFeatures &
      FavorStateArrays & { denominator: Storage; weight: number },
  ): void;
  /**
   * Causal; `state`, if given, is where the runs start from and, with `updateState`, is left after their last key.
   * `snapshots`, if given, are for the gradients; their length is `snapshotsLength`'s.
   */
  favorCausal(
    args: AttentionArrays &
      FavorFeatures &
      FavorResult & {
        out: Storage;
        denominator: Storage;
        snapshots?: Storage;
        state?: FavorStateArrays;
        updateState?: boolean;
      },
  ): void;
  /** Gradients of favorCausal started from empty states, with the snapshots that it left. */
  favorCausalBackward(
    args: AttentionArrays &
      AttentionGradients &
      FavorFeatures & { denominator: Storage; snapshots: Storage; weight: number },
  ): void;
  /** One token for every (batch, head): updates the states, then reads them. */
  favorStep(
    args: FavorFeatures &
      FavorResult &
      FavorStateArrays & {
        q: Storage;
        k: Storage;
        v: Storage;
        out: Storage;
        batch: number;
        heads: number;
        dHead: number;
        dValue: number;
      },
  ): void;

  /**
   * For benchmarks: multiply-adds x ← x/2 + 1 that touch no memory, 3072 · iterations flops for each of the
   * `out.length` units that threads share. Leaves 2 in `out` if iterations ≥ 4.
   */
  peak(args: { out: Storage; iterations: number }): void;
}
