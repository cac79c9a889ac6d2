import type { Backend } from '../src/node.ts';
import { type AttentionShape, attentionInputs, D_HEAD, HEADS, readResults } from './attention-inputs.ts';
import { type BenchmarkCase, type Check, compare, releaseAll, type Subjects } from './case.ts';
import type { Subject } from './measure.ts';

interface Passes {
  forward(): void;
  backward(): void;
  read(): Promise<Record<string, ArrayLike<number>>>;
  release(): void;
}

function passes(backend: Backend, shape: AttentionShape, causal: boolean): Passes {
  const inputs = attentionInputs(backend, shape);
  const args = { ...inputs, logSumExp: inputs.perQuery, causal, scale: 1 / Math.sqrt(shape.dHead), normalise: true };
  return {
    forward: () => backend.softmaxAttention(args),
    backward: () => backend.softmaxAttentionBackward(args),
    read: () => readResults(backend, inputs),
    release: inputs.release,
  };
}

export const softmaxAttention: BenchmarkCase = {
  name: 'softmax-attention',
  description: `${HEADS} heads of ${D_HEAD}; forward 4·L²·d·H flops, backward 10·L²·d·H, causal half of each`,

  async check(backend, reference) {
    const checks: Check[] = [];
    for (const { causal, lengthQ } of [
      { causal: false, lengthQ: 137 },
      { causal: true, lengthQ: 137 },
      { causal: true, lengthQ: 1 },
    ]) {
      const run = async (on: Backend): Promise<Record<string, ArrayLike<number>>> => {
        const all = passes(on, { heads: 3, length: 137, lengthQ, dHead: 61 }, causal);
        all.forward();
        all.backward();
        const results = await all.read();
        all.release();
        return results;
      };
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
    for (const length of backend.name === 'wasm' ? [1024] : [1024, 4096]) {
      for (const causal of [false, true]) {
        const all = passes(backend, { heads: HEADS, length, dHead: D_HEAD }, causal);
        const unit = (length ** 2 * D_HEAD * HEADS) / (causal ? 2 : 1);
        const what = causal ? 'causal ' : '';
        subjects.push({ label: `${what}forward, L=${length}`, flops: 4 * unit, run: all.forward });
        subjects.push({
          label: `${what}forward + backward, L=${length}`,
          flops: 14 * unit,
          run: () => {
            all.forward();
            all.backward();
          },
        });
        releases.push(all.release);
      }
    }
    const cached = { heads: HEADS, length: 4096, lengthQ: 1, dHead: D_HEAD };
    const decoding = passes(backend, cached, true);
    subjects.push({
      label: `one query, ${cached.length} cached keys`,
      flops: 4 * cached.length * D_HEAD * HEADS,
      run: decoding.forward,
    });
    releases.push(decoding.release);
    return { subjects, release: () => releaseAll(releases) };
  },
};
