import type { Backend } from '../../src/entries/performers.ts';
import { type BenchmarkCase, compare, releaseAll, type Subjects } from '../case.ts';
import { favorFlops } from '../flops.ts';
import type { Subject } from '../measure.ts';
import { exactTask, favorTask } from '../peers/tasks.ts';
import { D_HEAD, HEADS, NUM_FEATURES, resultsOf } from './attention-inputs.ts';
import { favorPasses } from './favor-passes.ts';

const LENGTHS = [1024, 8192];

/** The benchmark of FAVOR+, bidirectional or causal. */
export function favorCase(causal: boolean): BenchmarkCase {
  const name = causal ? 'favor-causal' : 'favor';
  return {
    name,
    description:
      `${HEADS} heads of ${D_HEAD}, m = ${NUM_FEATURES}; forward 8·L·m·d·H flops, backward 12·L·m·d·H ` +
      (causal
        ? '(the bidirectional count: work inside chunks is not credited)'
        : '(recomputing features not credited)'),

    on: ['native', 'wasm'],

    async check(backend, reference) {
      const run = (on: Backend) => resultsOf(favorPasses(on, { heads: 3, length: 137, dHead: 61 }, 83, causal));
      const [values, expected] = [await run(backend), await run(reference)];
      return Object.keys(values).map((key) => compare(`${name} ${key}`, values[key], expected[key], 1e-5));
    },

    async prepare(backend): Promise<Subjects> {
      const subjects: Subject[] = [];
      const releases: (() => void)[] = [];
      for (const length of LENGTHS) {
        const shape = { heads: HEADS, length, dHead: D_HEAD };
        const all = favorPasses(backend, shape, NUM_FEATURES, causal);
        subjects.push({
          label: `forward, L=${length}`,
          ...favorFlops(shape, NUM_FEATURES, 'forward'),
          run: all.forward,
        });
        subjects.push({
          label: `forward + backward, L=${length}`,
          ...favorFlops(shape, NUM_FEATURES, 'forward + backward'),
          run: () => {
            all.forward();
            all.backward();
          },
        });
        releases.push(all.release);
      }
      const comparisons = LENGTHS.map((length) => [`forward + backward, L=${length}`, `forward, L=${length}`] as const);
      return { subjects, comparisons, release: () => releaseAll(releases) };
    },

    peerTasks(kind) {
      const tasks = LENGTHS.map((length) =>
        favorTask({ label: `L=${length}`, against: `forward, L=${length}`, length, causal }),
      );
      const longest = LENGTHS[LENGTHS.length - 1];
      const against = `forward, L=${longest}`;
      // exact attention at this length would take WebAssembly engines a minute
      if (kind === 'native' && !causal) {
        tasks.push(exactTask({ label: `exact, L=${longest}`, against, length: longest }));
      }
      return tasks;
    },
  };
}
