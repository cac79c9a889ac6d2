import { farSnapshotsLength } from '../../src/entries/internal.ts';
import type { Backend } from '../../src/entries/performers.ts';
import { type BenchmarkCase, compare, releaseAll, type Subjects } from '../case.ts';
import { exactFlops, favorFlops, nearFieldFlops } from '../flops.ts';
import type { Subject } from '../measure.ts';
import {
  type AttentionShape,
  attentionInputs,
  D_HEAD,
  HEADS,
  type Passes,
  readResults,
  resultsOf,
} from './attention-inputs.ts';
import { favorPasses } from './favor-passes.ts';
import { softmaxPasses } from './softmax-passes.ts';

const BLOCK = 64;
const FEATURES = 128;
/** Beside 256 features without a near field, and, short, beside exact attention. */
const LENGTHS = [700, 8192];

/** Causal near field on fixed inputs. */
function nearFieldPasses(backend: Backend, shape: AttentionShape, numFeatures: number, block: number): Passes {
  const inputs = attentionInputs(backend, shape, numFeatures);
  const storages = {
    shares: backend.allocate(shape.heads * shape.length),
    snapshots: backend.allocate(farSnapshotsLength(inputs, numFeatures, block)),
    dGain: backend.allocate(shape.heads),
  };
  const near = {
    ...inputs,
    logSumExp: inputs.perQuery,
    causal: true,
    scale: 1 / Math.sqrt(shape.dHead),
    normalise: true,
    block,
  };
  const far = { ...inputs, ...storages, logSumExp: inputs.perQuery, block, weight: 1 / numFeatures };
  return {
    forward: () => {
      backend.softmaxAttention(near);
      backend.farField(far);
    },
    backward: () => {
      backend.softmaxAttentionBackward(near);
      backend.farFieldBackward(far);
    },
    read: () => readResults(backend, inputs),
    release: () => {
      inputs.release();
      for (const storage of Object.values(storages)) backend.release(storage);
    },
  };
}

export const nearField: BenchmarkCase = {
  name: 'near-field',
  description:
    `causal, ${HEADS} heads of ${D_HEAD}: blocks of ${BLOCK} exact and m = ${FEATURES} beyond, beside FAVOR+ with m = 256 and ` +
    'exact attention; forward 6·L·block·d·H + 8·L·m·d·H flops, backward 15 and 12',

  on: ['native', 'wasm'],

  async check(backend, reference) {
    const run = (on: Backend) => resultsOf(nearFieldPasses(on, { heads: 3, length: 137, dHead: 61 }, 83, 16));
    const [values, expected] = [await run(backend), await run(reference)];
    return Object.keys(values).map((key) => compare(`near-field ${key}`, values[key], expected[key], 1e-5));
  },

  async prepare(backend): Promise<Subjects> {
    const subjects: Subject[] = [];
    const releases: (() => void)[] = [];
    const both =
      ({ forward, backward }: Passes) =>
      () => {
        forward();
        backward();
      };
    for (const length of LENGTHS) {
      const shape = { heads: HEADS, length, dHead: D_HEAD };
      const near = nearFieldPasses(backend, shape, FEATURES, BLOCK);
      const work = (pass: 'forward' | 'forward + backward') => nearFieldFlops(shape, FEATURES, BLOCK, pass);
      subjects.push(
        { label: `near field, forward, L=${length}`, ...work('forward'), run: near.forward },
        { label: `near field, forward + backward, L=${length}`, ...work('forward + backward'), run: both(near) },
      );
      releases.push(near.release);
      const features = favorPasses(backend, shape, 256, true);
      subjects.push({
        label: `m=256, forward, L=${length}`,
        ...favorFlops(shape, 256, 'forward'),
        run: features.forward,
      });
      releases.push(features.release);
      if (length > 1024) continue;
      const exact = softmaxPasses(backend, shape, true);
      subjects.push({
        label: `exact, forward, L=${length}`,
        ...exactFlops(shape, true, 'forward'),
        run: exact.forward,
      });
      releases.push(exact.release);
    }
    const comparisons = LENGTHS.flatMap((length) => [
      [`near field, forward + backward, L=${length}`, `near field, forward, L=${length}`] as const,
      [`m=256, forward, L=${length}`, `near field, forward, L=${length}`] as const,
      ...(length > 1024 ? [] : [[`exact, forward, L=${length}`, `near field, forward, L=${length}`] as const]),
    ]);
    return { subjects, comparisons, release: () => releaseAll(releases) };
  },
};
