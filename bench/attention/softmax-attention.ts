import type { Backend } from '../../src/entries/performers.ts';
import { type BenchmarkCase, type Check, compare, releaseAll, type Subjects } from '../case.ts';
import { exactFlops } from '../flops.ts';
import type { Subject } from '../measure.ts';
import { exactTask } from '../peers/tasks.ts';
import { D_HEAD, HEADS, resultsOf } from './attention-inputs.ts';
import { softmaxPasses } from './softmax-passes.ts';

/** WebAssembly's causal and backward passes at this length would take most of the bench's time. */
const LONG = 4096;

export const softmaxAttention: BenchmarkCase = {
  name: 'softmax-attention',
  description: `${HEADS} heads of ${D_HEAD}; forward 4·L²·d·H flops, backward 10·L²·d·H, causal half of each`,
  on: ['native', 'wasm'],

  async check(backend, reference) {
    const checks: Check[] = [];
    for (const { causal, lengthQ } of [
      { causal: false, lengthQ: 137 },
      { causal: true, lengthQ: 137 },
      { causal: true, lengthQ: 1 },
    ]) {
      const run = (on: Backend) => resultsOf(softmaxPasses(on, { heads: 3, length: 137, lengthQ, dHead: 61 }, causal));
      const [values, expected] = [await run(backend), await run(reference)];
      for (const name of Object.keys(values)) {
        checks.push(
          compare(`${causal ? 'causal ' : ''}${name}, ${lengthQ} queries`, values[name], expected[name], 1e-5),
        );
      }
    }
    return checks;
  },

  async prepare(backend): Promise<Subjects> {
    const subjects: Subject[] = [];
    const releases: (() => void)[] = [];
    for (const length of [1024, LONG]) {
      for (const causal of [false, true]) {
        const forwardOnly = backend.name === 'wasm' && length === LONG;
        if (forwardOnly && causal) continue;
        const shape = { heads: HEADS, length, dHead: D_HEAD };
        const all = softmaxPasses(backend, shape, causal);
        const what = causal ? 'causal ' : '';
        subjects.push({
          label: `${what}forward, L=${length}`,
          ...exactFlops(shape, causal, 'forward'),
          run: all.forward,
        });
        if (!forwardOnly) {
          subjects.push({
            label: `${what}forward + backward, L=${length}`,
            ...exactFlops(shape, causal, 'forward + backward'),
            run: () => {
              all.forward();
              all.backward();
            },
          });
        }
        releases.push(all.release);
      }
    }
    const cached = { heads: HEADS, length: LONG, lengthQ: 1, dHead: D_HEAD };
    const decoding = softmaxPasses(backend, cached, true);
    subjects.push({
      label: `one query, ${cached.length} cached keys`,
      ...exactFlops(cached, true, 'forward'),
      run: decoding.forward,
    });
    releases.push(decoding.release);
    return { subjects, release: () => releaseAll(releases) };
  },

  peerTasks: () =>
    [1024, LONG].map((length) => exactTask({ label: `L=${length}`, against: `forward, L=${length}`, length })),
};
