import { availableParallelism } from 'node:os';
import { type Backend, createBackend } from '../src/node.ts';
import { D_HEAD, HEADS, NUM_FEATURES } from './attention-inputs.ts';
import { type BenchmarkCase, compare, normalNumbers, releaseAll, type Subjects } from './case.ts';
import { favorPasses } from './favor-passes.ts';
import { jaxFavor } from './jax-js.ts';
import type { Subject } from './measure.ts';
import { peakSubject } from './peak.ts';

const LENGTH = 4096;

const jaxInputs = (heads: number, length: number, dHead: number, numFeatures: number) => ({
  heads,
  length,
  dHead,
  numFeatures,
  q: normalNumbers(heads * length * dHead, 1),
  k: normalNumbers(heads * length * dHead, 2),
  v: normalNumbers(heads * length * dHead, 3),
  projection: normalNumbers(numFeatures * dHead, 5),
});

export const wasm: BenchmarkCase = {
  name: 'wasm',
  description: `FAVOR+ forward in WebAssembly, ${HEADS} heads of ${D_HEAD}, m = ${NUM_FEATURES}, L=${LENGTH}; 8·L·m·d·H flops`,

  async check(_, reference) {
    const shape = { heads: 3, length: 137, dHead: 61 };
    const run = async (on: Backend): Promise<ArrayLike<number>> => {
      const passes = favorPasses(on, shape, 83, false);
      passes.forward();
      const { out } = await passes.read();
      passes.release();
      return out;
    };
    const backend = await createBackend({ backend: 'wasm', numThreads: 1 });
    const jax = await jaxFavor(jaxInputs(shape.heads, shape.length, shape.dHead, 83));
    try {
      const expected = await run(reference);
      return [
        compare('performers wasm', await run(backend), expected, 1e-5),
        compare('jax-js', await jax.read(), expected, 1e-4),
      ];
    } finally {
      jax.release();
      backend.close();
    }
  },

  async prepare(): Promise<Subjects> {
    const subjects: Subject[] = [];
    const releases: (() => void)[] = [];
    const flops = 8 * LENGTH * NUM_FEATURES * D_HEAD * HEADS;
    const peaks: Subject[] = [];
    const comparisons: [string, string][] = [];
    for (const numThreads of new Set([1, availableParallelism()])) {
      const backend = await createBackend({ backend: 'wasm', numThreads });
      const passes = favorPasses(backend, { heads: HEADS, length: LENGTH, dHead: D_HEAD }, NUM_FEATURES, false);
      const threads = `${numThreads} thread${numThreads === 1 ? '' : 's'}`;
      const peak = peakSubject(backend, numThreads, 100_000);
      const label = `performers, ${threads}`;
      peaks.push(peak);
      subjects.push({ label, flops, peak, run: passes.forward });
      comparisons.push(['jax-js, 1 thread', label]);
      releases.push(() => backend.close());
    }
    const jax = await jaxFavor(jaxInputs(HEADS, LENGTH, D_HEAD, NUM_FEATURES));
    subjects.push({ label: 'jax-js, 1 thread', flops, peak: peaks[0], run: () => jax.run() });
    releases.push(jax.release);
    return { subjects, comparisons, release: () => releaseAll(releases) };
  },
};
