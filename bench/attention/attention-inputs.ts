import {
  type AttentionArrays,
  type AttentionGradients,
  dividedRows,
  type Estimator,
  exponentialEstimator,
  type FavorResult,
  type FavorStateArrays,
} from '../../src/entries/internal.ts';
import type { Backend, Storage } from '../../src/entries/performers.ts';
import { normalNumbers } from '../case.ts';

export interface AttentionShape {
  readonly heads: number;
  /** Number of keys, and of queries unless lengthQ says otherwise. */
  readonly length: number;
  readonly lengthQ?: number;
  readonly dHead: number;
}

/** The paper's "regular" head: 8 heads of 64, and 256 features. */
export const HEADS = 8;
export const D_HEAD = 64;
export const NUM_FEATURES = 256;

export interface AttentionInputs extends AttentionArrays, AttentionGradients, Estimator, FavorResult {
  readonly perQuery: Storage;
  readonly projection: Storage;
  release(): void;
}

/** Storages for one attention over a batch of one, `[1, heads, length, dHead]`, the same numbers on every backend. */
export function attentionInputs(backend: Backend, shape: AttentionShape, numFeatures = 0): AttentionInputs {
  const { heads, length, lengthQ = length, dHead } = shape;
  const count = heads * length * dHead;
  const countQ = heads * lengthQ * dHead;
  const upload = (size: number, seed: number): Storage => backend.upload(normalNumbers(size, seed));
  const storages = {
    q: upload(countQ, 1),
    k: upload(count, 2),
    v: upload(count, 3),
    dOut: upload(countQ, 4),
    out: backend.allocate(countQ),
    dQ: backend.allocate(countQ),
    dK: backend.allocate(count),
    dV: backend.allocate(count),
    perQuery: backend.allocate(heads * lengthQ),
    projection: backend.upload(normalNumbers(numFeatures * dHead, 5)),
    sequences: backend.upload(Int32Array.of(0, 0, lengthQ, 0, length, length - lengthQ)),
  };
  return {
    ...storages,
    ...exponentialEstimator(numFeatures),
    ...dividedRows,
    heads,
    dHead,
    lengthQ,
    lengthK: length,
    dValue: dHead,
    layout: 'bhld',
    numSequences: 1,
    release: () => {
      for (const storage of Object.values(storages)) backend.release(storage);
    },
  };
}

export interface FavorState extends FavorStateArrays {
  release(): void;
}

export function favorState(backend: Backend, heads: number, numFeatures: number, dValue: number): FavorState {
  const storages = {
    sums: backend.allocate(heads * numFeatures * (dValue + 1)),
    compensation: backend.allocate(heads * numFeatures * (dValue + 1)),
    scales: backend.allocate(heads * numFeatures),
  };
  return {
    ...storages,
    release: () => {
      for (const storage of Object.values(storages)) backend.release(storage);
    },
  };
}

/** What a forward and a backward pass wrote. */
export async function readResults(
  backend: Backend,
  inputs: AttentionGradients,
): Promise<Record<string, ArrayLike<number>>> {
  return {
    out: await backend.read(inputs.out),
    dQ: await backend.read(inputs.dQ),
    dK: await backend.read(inputs.dK),
    dV: await backend.read(inputs.dV),
  };
}

/** One attention on fixed inputs. */
export interface Passes {
  forward(): void;
  backward(): void;
  read(): Promise<Record<string, ArrayLike<number>>>;
  release(): void;
}

/** What forward and backward give; the passes are released. */
export async function resultsOf(passes: Passes): Promise<Record<string, ArrayLike<number>>> {
  passes.forward();
  passes.backward();
  const results = await passes.read();
  passes.release();
  return results;
}
