/** What peers are asked to do beside a case, at the size that is timed and on a small problem whose values are checked. */
import type { Backend } from '../../src/node.ts';
import { D_HEAD, HEADS, NUM_FEATURES } from '../attention-inputs.ts';
import { normalNumbers } from '../case.ts';
import { favorPasses } from '../favor-passes.ts';
import { exactFlops, favorFlops, productFlops } from '../flops.ts';
import { softmaxPasses } from '../softmax-passes.ts';
import type { AttentionProblem, Peer, PeerRun, ProductProblem } from './peer.ts';

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

/** Prime sizes, so that a swapped axis shows. */
const SMALL = { heads: 3, length: 137, dHead: 61, numFeatures: 83 };

/** The numbers that `attentionInputs` gives the backends. */
export function attentionProblem(sizes: typeof SMALL, causal: boolean): AttentionProblem {
  const count = sizes.heads * sizes.length * sizes.dHead;
  return {
    ...sizes,
    causal,
    q: normalNumbers(count, 1),
    k: normalNumbers(count, 2),
    v: normalNumbers(count, 3),
    projection: normalNumbers(sizes.numFeatures * sizes.dHead, 5),
  };
}

export function productProblem(m: number, n: number, k: number): ProductProblem {
  return { m, n, k, a: normalNumbers(m * k, 1), b: normalNumbers(n * k, 2) };
}

interface TaskOptions {
  readonly label: string;
  readonly against: string;
  readonly length: number;
  readonly causal?: boolean;
}

const timedSizes = (length: number) => ({ heads: HEADS, length, dHead: D_HEAD, numFeatures: NUM_FEATURES });

export function favorTask({ label, against, length, causal = false }: TaskOptions): PeerTask {
  return {
    label,
    against,
    ...favorFlops({ heads: HEADS, length, dHead: D_HEAD }, NUM_FEATURES, 'forward'),
    bound: 1e-4,
    start: (peer, size, numThreads) =>
      peer.favor?.(attentionProblem(size === 'small' ? SMALL : timedSizes(length), causal), numThreads),
    async expected(reference) {
      const passes = favorPasses(reference, SMALL, SMALL.numFeatures, causal);
      passes.forward();
      const { out } = await passes.read();
      passes.release();
      return out;
    },
  };
}

export function exactTask({ label, against, length, causal = false }: TaskOptions): PeerTask {
  return {
    label,
    against,
    ...exactFlops({ heads: HEADS, length, dHead: D_HEAD }, causal, 'forward'),
    bound: 1e-4,
    start: (peer, size, numThreads) =>
      peer.exact?.(attentionProblem(size === 'small' ? SMALL : timedSizes(length), causal), numThreads),
    async expected(reference) {
      const passes = softmaxPasses(reference, SMALL, causal);
      passes.forward();
      const { out } = await passes.read();
      passes.release();
      return out;
    },
  };
}

export function productTask(label: string, against: string, [m, n, k]: readonly [number, number, number]): PeerTask {
  const small = productProblem(131, 67, 113);
  return {
    label,
    against,
    flops: productFlops(m, n, k),
    bound: 1e-4,
    start: (peer, size, numThreads) => peer.gemm?.(size === 'small' ? small : productProblem(m, n, k), numThreads),
    async expected(reference) {
      const [a, b, c] = [reference.upload(small.a), reference.upload(small.b), reference.allocate(small.m * small.n)];
      reference.gemm({ a, b, c, m: small.m, n: small.n, k: small.k });
      return reference.read(c);
    },
  };
}
