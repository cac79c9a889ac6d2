import { type Backend, type FavorFeatures, snapshotsLength } from '../src/node.ts';
import {
  type AttentionShape,
  attentionInputs,
  D_HEAD,
  favorState,
  HEADS,
  NUM_FEATURES,
  readResults,
} from './attention-inputs.ts';
import { type BenchmarkCase, compare, releaseAll, type Subjects } from './case.ts';
import type { Subject } from './measure.ts';

export interface FavorPasses {
  forward(): void;
  backward(): void;
  read(): Promise<Record<string, ArrayLike<number>>>;
  release(): void;
}

/** FAVOR+ on fixed inputs, with given features or with `numFeatures` positive ones; rows are divided by their sums if weight is 0. */
export function favorPasses(
  backend: Backend,
  shape: AttentionShape,
  features: number | (FavorFeatures & { readonly stabiliser: number }),
  causal: boolean,
  weight = 0,
): FavorPasses {
  const given = typeof features === 'object' ? features : undefined;
  const numFeatures = typeof features === 'object' ? features.numFeatures : features;
  const inputs = attentionInputs(backend, shape, given ? 0 : numFeatures);
  const state = favorState(backend, shape.heads, numFeatures, shape.dHead);
  const { release: releaseState, ...states } = state;
  const snapshots = backend.allocate(snapshotsLength(inputs, numFeatures));
  const args = { ...inputs, ...given, weight, ...states, denominator: inputs.perQuery, snapshots };
  return {
    forward: () => (causal ? backend.favorCausal(args) : backend.favor(args)),
    backward: () => (causal ? backend.favorCausalBackward(args) : backend.favorBackward(args)),
    read: () => readResults(backend, inputs),
    release: () => {
      inputs.release();
      releaseState();
      backend.release(snapshots);
    },
  };
}

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

    async check(backend, reference) {
      const run = async (on: Backend): Promise<Record<string, ArrayLike<number>>> => {
        const all = favorPasses(on, { heads: 3, length: 137, dHead: 61 }, 83, causal);
        all.forward();
        all.backward();
        const results = await all.read();
        all.release();
        return results;
      };
      const [values, expected] = [await run(backend), await run(reference)];
      return Object.keys(values).map((key) => compare(`${name} ${key}`, values[key], expected[key], 1e-5));
    },

    async prepare(backend): Promise<Subjects> {
      const subjects: Subject[] = [];
      const releases: (() => void)[] = [];
      for (const length of backend.name === 'wasm' ? [1024, 4096] : [1024, 8192]) {
        const all = favorPasses(backend, { heads: HEADS, length, dHead: D_HEAD }, NUM_FEATURES, causal);
        const unit = length * NUM_FEATURES * D_HEAD * HEADS;
        subjects.push({ label: `forward, L=${length}`, flops: 8 * unit, run: all.forward });
        subjects.push({
          label: `forward + backward, L=${length}`,
          flops: 20 * unit,
          run: () => {
            all.forward();
            all.backward();
          },
        });
        releases.push(all.release);
      }
      return { subjects, release: () => releaseAll(releases) };
    },
  };
}
