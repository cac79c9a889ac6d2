/** What other engines are asked to do, and how: the interface that one file per engine implements. */
import type { Backend } from '../../src/entries/performers.ts';

/** Inputs of one attention, the same numbers for every engine. */
export interface AttentionProblem {
  readonly heads: number;
  readonly length: number;
  readonly dHead: number;
  readonly numFeatures: number;
  readonly causal: boolean;
  /** `[heads, length, dHead]`, and so are k and v. */
  readonly q: Float32Array<ArrayBuffer>;
  readonly k: Float32Array<ArrayBuffer>;
  readonly v: Float32Array<ArrayBuffer>;
  /** `[numFeatures, dHead]`, rows of length about √dHead. */
  readonly projection: Float32Array<ArrayBuffer>;
}

/** C = A B. */
export interface ProductProblem {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** `[m, k]` */
  readonly a: Float32Array<ArrayBuffer>;
  /** `[k, n]` */
  readonly b: Float32Array<ArrayBuffer>;
}

/** A causal Transformer and its batch. */
export interface TrainingSize {
  readonly dModel: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly dFeedForward: number;
  readonly vocabSize: number;
  readonly batchSize: number;
  readonly length: number;
}

/** Steps of training a causal Transformer with rotary positions on one batch. */
export interface TrainingProblem extends TrainingSize {
  readonly learningRate: number;
  /** `[batchSize, length]`, and so are the targets. */
  readonly inputs: Int32Array<ArrayBuffer>;
  readonly targets: Int32Array<ArrayBuffer>;
}

/** One operation, loaded and ready to be repeated on its inputs. */
export interface PeerRun {
  /** Distinguishes several forms of one operation; empty where an engine has only one. */
  readonly form: string;
  /** Does the work once; its result is in memory that the engine owns, as for its users. */
  run(): void | Promise<void>;
  /** The result in the layout of the problem: `[heads, length, dHead]` or `[m, n]`. */
  read(): Promise<ArrayLike<number>>;
  release(): void | Promise<void>;
}

/**
 * An engine that users would otherwise compose attention from. Each operation is given in the engine's best form; one that it
 * cannot express is left out. Loading or running may throw: the report then says why instead of a time.
 */
export interface Peer {
  /** The package's name on npm. */
  readonly name: string;
  readonly runsOn: 'native' | 'wasm';
  /** Threads that it uses when it may use `numThreads`. */
  threads(numThreads: number): number;
  gemm?(problem: ProductProblem, numThreads: number): Promise<PeerRun[]>;
  /** FAVOR+ with positive features, normalised; causal only where the engine can. */
  favor?(problem: AttentionProblem, numThreads: number): Promise<PeerRun[]>;
  exact?(problem: AttentionProblem, numThreads: number): Promise<PeerRun[]>;
  /** Forward, backward and AdamW, from random weights; `read` gives the losses of all steps so far, each before its update. */
  trainingStep?(problem: TrainingProblem, numThreads: number): Promise<PeerRun[]>;
}

/** What peers are asked to do beside a case. */
export interface PeerTask {
  /** Stands behind the peer's name in labels. */
  readonly label: string;
  readonly flops: number;
  readonly exponentials?: number;
  /** Label of the case's own subject that peers are compared with. */
  readonly against: string;
  /** Bound of the relative error on the small problem. */
  readonly bound: number;
  /** The peer's runs of the timed or of the small problem; undefined if the peer cannot express it. */
  start(peer: Peer, size: 'timed' | 'small', numThreads: number): Promise<PeerRun[]> | undefined;
  /** The result of the small problem in float64. */
  expected(reference: Backend): Promise<ArrayLike<number>>;
}
