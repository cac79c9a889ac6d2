import type { FavorFeatures } from '../../src/entries/internal.ts';
import { type Backend, drawFeatures, type FeatureOptions } from '../../src/entries/performers.ts';
import { type BenchmarkCase, type Check, compare, normalNumbers, releaseAll, type Subjects } from '../case.ts';
import type { Subject } from '../measure.ts';
import { D_HEAD, HEADS, NUM_FEATURES } from './attention-inputs.ts';
import { favorPasses } from './favor-passes.ts';

const LENGTH = 1024;
const widths = [16, 32, 64, 128, 256, 512];
const kinds = ['orthogonal', 'hadamard', 'givens'] as const;
const structured = ['hadamard', 'givens'] as const;

/** Features drawn from a fixed seed, as the kernels take them. */
export function drawnFeatures(
  backend: Backend,
  dHead: number,
  options: FeatureOptions,
): { features: FavorFeatures & { weight: number; stabiliser: number }; release(): void } {
  const { projection, bias, ...estimator } = drawFeatures(backend, dHead, options);
  return {
    features: { ...estimator, projection: projection.storage, bias: bias?.storage },
    release: () => {
      projection.dispose();
      bias?.dispose();
    },
  };
}

interface Product {
  run(): void;
  read(): ReturnType<Backend['read']>;
  release(): void;
}

/** u = W x̂ of every row, by the map `identity`. */
function product(
  backend: Backend,
  projection: (typeof kinds)[number],
  heads: number,
  length: number,
  dHead: number,
  numFeatures: number,
): Product {
  const featureMap = { type: 'generalised', activation: 'identity', epsilon: 0 } as const;
  const drawn = drawnFeatures(backend, dHead, { numFeatures, projection, featureMap });
  const x = backend.upload(normalNumbers(heads * length * dHead, 1));
  const out = backend.allocate(heads * length * numFeatures);
  const sizes = { batch: 1, heads, length, dHead, layout: 'bhld' } as const;
  return {
    run: () => backend.favorFeatures({ ...drawn.features, ...sizes, x, out }),
    read: () => backend.read(out),
    release: () => {
      drawn.release();
      for (const storage of [x, out]) backend.release(storage);
    },
  };
}

const productOf = (kind: string, dHead: number) => `${kind}, d=${dHead}`;
const attentionOf = (kind: string, dHead: number) => `attention, ${kind}, d=${dHead}`;

export const projections: BenchmarkCase = {
  name: 'projections',
  description:
    `W x̂ of ${HEADS} heads, L = ${LENGTH}, m = ${NUM_FEATURES}: a matrix against factors; 2·L·m·d·H flops whatever the form; ` +
    'attention: forward + backward, L = 2048, 20·L·m·d·H flops',

  async check(backend, reference) {
    const checks: Check[] = [];
    for (const kind of kinds) {
      const run = async (on: Backend): Promise<ArrayLike<number>> => {
        const work = product(on, kind, 3, 71, 37, 83);
        work.run();
        const values = await work.read();
        work.release();
        return values;
      };
      checks.push(compare(`projections, ${kind}`, await run(backend), await run(reference), 1e-5));
    }
    return checks;
  },

  async prepare(backend): Promise<Subjects> {
    const subjects: Subject[] = [];
    const releases: (() => void)[] = [];
    for (const dHead of widths) {
      for (const kind of kinds) {
        const work = product(backend, kind, HEADS, LENGTH, dHead, NUM_FEATURES);
        const flops = 2 * HEADS * LENGTH * NUM_FEATURES * dHead;
        subjects.push({ label: productOf(kind, dHead), flops, run: work.run });
        releases.push(work.release);
      }
    }
    for (const dHead of [D_HEAD, 256]) {
      for (const projection of kinds) {
        const drawn = drawnFeatures(backend, dHead, { numFeatures: NUM_FEATURES, projection });
        const shape = { heads: 2, length: 2048, dHead };
        const passes = favorPasses(backend, shape, drawn.features, false);
        subjects.push({
          label: attentionOf(projection, dHead),
          flops: 20 * shape.length * NUM_FEATURES * dHead * shape.heads,
          run: () => {
            passes.forward();
            passes.backward();
          },
        });
        releases.push(passes.release, drawn.release);
      }
    }
    const compared = (label: (kind: string, dHead: number) => string, at: readonly number[]) =>
      at.flatMap((dHead) => structured.map((kind) => [label('orthogonal', dHead), label(kind, dHead)] as const));
    const comparisons = [...compared(productOf, widths), ...compared(attentionOf, [D_HEAD, 256])];
    return { subjects, comparisons, release: () => releaseAll(releases) };
  },
};
