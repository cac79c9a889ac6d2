import type { Backend } from '../src/node.ts';
import { attentionInputs, D_HEAD, favorState, HEADS, NUM_FEATURES, readResults } from './attention-inputs.ts';
import { type BenchmarkCase, compare, releaseAll, type Subjects } from './case.ts';
import type { Subject } from './measure.ts';

const lengths = [128, 256, 512, 1024, 2048, 4096, 8192];

/** Labels of the two subjects of a length. */
export const exactAt = (length: number) => `exact, L=${length}`;
export const favorAt = (length: number) => `FAVOR+, L=${length}`;

function forwardPasses(backend: Backend, length: number, heads = HEADS, dHead = D_HEAD, numFeatures = NUM_FEATURES) {
  const inputs = attentionInputs(backend, { heads, length, dHead }, numFeatures);
  const state = favorState(backend, heads, numFeatures, dHead);
  const exactArguments = {
    ...inputs,
    logSumExp: inputs.perQuery,
    causal: false,
    scale: 1 / Math.sqrt(dHead),
    normalise: true,
  };
  return {
    inputs,
    exact: () => backend.softmaxAttention(exactArguments),
    favor: () => backend.favor({ ...inputs, ...state, denominator: inputs.perQuery }),
    release: () => releaseAll([inputs.release, state.release]),
  };
}

/** Both attentions over a ladder of lengths: where does the linear one overtake? */
export const lengthLadder: BenchmarkCase = {
  name: 'lengths',
  description: `${HEADS} heads of ${D_HEAD}, forward; exact 4·L²·d·H flops, FAVOR+ with m=${NUM_FEATURES} 8·L·m·d·H`,

  async check(backend, reference) {
    const run = async (on: Backend) => {
      const passes = forwardPasses(on, 101, 3, 61, 37);
      passes.exact();
      const exact = (await readResults(on, passes.inputs)).out;
      passes.favor();
      const favor = (await readResults(on, passes.inputs)).out;
      passes.release();
      return { exact, favor };
    };
    const [values, expected] = [await run(backend), await run(reference)];
    return [
      compare('exact', values.exact, expected.exact, 1e-5),
      compare('FAVOR+', values.favor, expected.favor, 1e-5),
    ];
  },

  async prepare(backend): Promise<Subjects> {
    const subjects: Subject[] = [];
    const releases: (() => void)[] = [];
    const comparisons: [string, string][] = [];
    for (const length of lengths) {
      const passes = forwardPasses(backend, length);
      releases.push(passes.release);
      subjects.push({ label: exactAt(length), flops: 4 * length ** 2 * D_HEAD * HEADS, run: passes.exact });
      subjects.push({ label: favorAt(length), flops: 8 * length * NUM_FEATURES * D_HEAD * HEADS, run: passes.favor });
      comparisons.push([exactAt(length), favorAt(length)]);
    }
    return { subjects, comparisons, release: () => releaseAll(releases) };
  },
};

/** Lengths of the ladder, for figures. */
export const ladderLengths: readonly number[] = lengths;
