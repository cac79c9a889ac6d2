/** What peers are asked to do beside a case, at the size that is timed and on a small problem whose values are checked. */
import { D_HEAD, HEADS, NUM_FEATURES } from '../attention/attention-inputs.ts';
import { favorPasses } from '../attention/favor-passes.ts';
import { softmaxPasses } from '../attention/softmax-passes.ts';
import { normalNumbers } from '../case.ts';
import { exactFlops, favorFlops, productFlops } from '../flops.ts';
import type { AttentionProblem, PeerRun, PeerTask, ProductProblem, TrainingProblem } from './peer.ts';

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

/** The outputs of an attention's passes, which are freed. */
async function outputsOf(passes: ReturnType<typeof softmaxPasses> | ReturnType<typeof favorPasses>) {
  passes.forward();
  const { out } = await passes.read();
  passes.release();
  return out;
}

function attentionTask(
  { label, against, length, causal = false }: TaskOptions,
  kind: 'favor' | 'exact',
): Omit<PeerTask, 'expected' | 'flops'> {
  return {
    label,
    against,
    bound: 1e-4,
    start: (peer, size, numThreads) =>
      peer[kind]?.(attentionProblem(size === 'small' ? SMALL : timedSizes(length), causal), numThreads),
  };
}

export function favorTask(options: TaskOptions): PeerTask {
  return {
    ...attentionTask(options, 'favor'),
    ...favorFlops({ heads: HEADS, length: options.length, dHead: D_HEAD }, NUM_FEATURES, 'forward'),
    expected: (reference) => outputsOf(favorPasses(reference, SMALL, SMALL.numFeatures, options.causal ?? false)),
  };
}

export function exactTask(options: TaskOptions): PeerTask {
  const { length, causal = false } = options;
  return {
    ...attentionTask(options, 'exact'),
    ...exactFlops({ heads: HEADS, length, dHead: D_HEAD }, causal, 'forward'),
    expected: (reference) => outputsOf(softmaxPasses(reference, SMALL, causal)),
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

const SMALL_TRAINING = {
  dModel: 24,
  numLayers: 2,
  numHeads: 3,
  dFeedForward: 72,
  vocabSize: 61,
  batchSize: 2,
  length: 31,
};
const STEPS = 8;

/**
 * A training step. Each engine draws weights as it likes, so values are checked by what any engine must show. The first
 * loss is near the logarithm of the vocabulary's size, and the loss falls over some steps.
 */
export function trainingTask(
  options: Pick<PeerTask, 'label' | 'against' | 'flops'>,
  problem: TrainingProblem,
): PeerTask {
  return {
    ...options,
    bound: 0.05,
    start: (peer, size, numThreads) =>
      size === 'timed'
        ? peer.trainingStep?.(problem, numThreads)
        : peer.trainingStep?.(trainingProblem(SMALL_TRAINING, 1e-2), numThreads).then((runs) => runs.map(firstLoss)),
    expected: async () => [Math.log(SMALL_TRAINING.vocabSize)],
  };
}

export function trainingProblem(size: typeof SMALL_TRAINING, learningRate: number): TrainingProblem {
  const count = size.batchSize * size.length;
  const tokens = Int32Array.from({ length: count + 1 }, (_, i) => (i * 7919) % size.vocabSize);
  return { ...size, learningRate, inputs: tokens.slice(0, -1), targets: tokens.slice(1) };
}

/** Takes several steps as one run, and reads the first loss. @throws if the last is not lower. */
function firstLoss(run: PeerRun): PeerRun {
  return {
    ...run,
    async run() {
      for (let step = 0; step < STEPS; step++) await run.run();
    },
    async read() {
      const losses = await run.read();
      const [first, last] = [losses[0], losses[losses.length - 1]];
      if (!(last < first))
        throw new Error(`its loss does not fall in ${losses.length} steps: from ${first} to ${last}`);
      return [first];
    },
  };
}
