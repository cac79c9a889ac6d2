import type { Backend } from '../../src/entries/performers.ts';
import { type BenchmarkCase, compare, type Measurement, releaseAll, type Subjects } from '../case.ts';
import { exactFlops, favorFlops } from '../flops.ts';
import { quantile, type Subject, type Timing } from '../measure.ts';
import { D_HEAD, HEADS, NUM_FEATURES } from './attention-inputs.ts';
import { favorPasses } from './favor-passes.ts';
import { softmaxPasses } from './softmax-passes.ts';

const lengths = { native: [128, 256, 512, 1024, 2048, 4096, 8192], wasm: [128, 256, 512, 1024, 2048] } as const;

/** Labels of the two subjects of a length. */
export const exactAt = (length: number) => `exact, L=${length}`;
export const favorAt = (length: number) => `FAVOR+, L=${length}`;

/** Lengths of the ladder, for figures. */
export const ladderLengths = (kind: 'native' | 'wasm'): readonly number[] => lengths[kind];

/**
 * The first length from which on `slow` takes longer than `fast`. Interpolates the logarithm of their ratio linearly in
 * the logarithm of the length. Undefined if either is faster throughout.
 */
export function crossover(
  points: readonly { readonly length: number; readonly slow: number; readonly fast: number }[],
): number | undefined {
  for (let i = 1; i < points.length; i++) {
    const [before, after] = [points[i - 1], points[i]].map(({ slow, fast }) => Math.log(slow / fast));
    if (before > 0 || after <= 0) continue;
    const fraction = before / (before - after);
    return points[i - 1].length * (points[i].length / points[i - 1].length) ** fraction;
  }
  return undefined;
}

function crossoverOf(kind: 'native' | 'wasm', timings: readonly Timing[]): Measurement[] {
  const median = (label: string) =>
    quantile(timings.find(({ subject }) => subject.label === label)?.milliseconds ?? [], 0.5);
  const points = lengths[kind].map((length) => ({
    length,
    slow: median(exactAt(length)),
    fast: median(favorAt(length)),
  }));
  const length = crossover(points);
  return length === undefined ? [] : [{ label: 'FAVOR+ overtakes exact at', value: length, unit: 'tokens' }];
}

/** Both attentions over a ladder of lengths: where does the linear one overtake? */
export const lengthLadder: BenchmarkCase = {
  name: 'lengths',
  description: `${HEADS} heads of ${D_HEAD}, forward; exact 4·L²·d·H flops, FAVOR+ with m=${NUM_FEATURES} 8·L·m·d·H`,
  on: ['native', 'wasm'],

  async check(backend, reference) {
    const shape = { heads: 3, length: 101, dHead: 61 };
    const run = async (on: Backend) => {
      const [exact, favor] = [softmaxPasses(on, shape, false), favorPasses(on, shape, 37, false)];
      exact.forward();
      favor.forward();
      const results = { exact: (await exact.read()).out, favor: (await favor.read()).out };
      releaseAll([exact.release, favor.release]);
      return results;
    };
    const [values, expected] = [await run(backend), await run(reference)];
    return [
      compare('exact', values.exact, expected.exact, 1e-5),
      compare('FAVOR+', values.favor, expected.favor, 1e-5),
    ];
  },

  async prepare(backend): Promise<Subjects> {
    const kind = backend.name === 'wasm' ? 'wasm' : 'native';
    const subjects: Subject[] = [];
    const releases: (() => void)[] = [];
    const comparisons: [string, string][] = [];
    for (const length of lengths[kind]) {
      const shape = { heads: HEADS, length, dHead: D_HEAD };
      const [exact, favor] = [softmaxPasses(backend, shape, false), favorPasses(backend, shape, NUM_FEATURES, false)];
      releases.push(exact.release, favor.release);
      subjects.push({ label: exactAt(length), ...exactFlops(shape, false, 'forward'), run: exact.forward });
      subjects.push({ label: favorAt(length), ...favorFlops(shape, NUM_FEATURES, 'forward'), run: favor.forward });
      comparisons.push([exactAt(length), favorAt(length)]);
    }
    return {
      subjects,
      comparisons,
      summarise: (timings) => crossoverOf(kind, timings),
      release: () => releaseAll(releases),
    };
  },
};
