import type { Backend, FeatureOptions } from '../../src/entries/performers.ts';
import { type BenchmarkCase, type Check, compare, releaseAll, type Subjects } from '../case.ts';
import type { Subject } from '../measure.ts';
import { D_HEAD, HEADS, NUM_FEATURES } from './attention-inputs.ts';
import { favorPasses } from './favor-passes.ts';
import { drawnFeatures } from './projections.ts';

const LENGTH = 4096;

const maps: Readonly<Record<string, FeatureOptions>> = {
  positive: {},
  hyperbolic: { featureMap: 'hyperbolic' },
  trigonometric: { featureMap: 'trigonometric' },
  'FAVOR++': { featureMap: { type: 'favor++', p: 2 } },
  ReLU: { featureMap: 'relu', projection: 'orthogonal' },
  'ReLU without projection': { featureMap: 'relu' },
};

const label = (name: string, causal: boolean) => `${name}${causal ? ', causal' : ''}`;

export const featureMaps: BenchmarkCase = {
  name: 'feature-maps',
  description: `forward, ${HEADS} heads of ${D_HEAD}, m = ${NUM_FEATURES} (${D_HEAD} without projection), L = ${LENGTH}; 8·L·m·d·H flops`,

  async check(backend, reference) {
    const checks: Check[] = [];
    for (const causal of [false, true]) {
      for (const [name, options] of Object.entries(maps)) {
        const run = async (on: Backend): Promise<Record<string, ArrayLike<number>>> => {
          const drawn = drawnFeatures(on, 37, { numFeatures: 84, ...options });
          // not divided: trigonometric features may leave a sum near 0, which magnifies any rounding
          const shape = { heads: 3, length: 131, dHead: 37 };
          const passes = favorPasses(on, shape, drawn.features, causal, drawn.features.weight);
          passes.forward();
          const results = await passes.read();
          passes.release();
          drawn.release();
          return results;
        };
        checks.push(compare(label(name, causal), (await run(backend)).out, (await run(reference)).out, 1e-5));
      }
    }
    return checks;
  },

  async prepare(backend): Promise<Subjects> {
    const subjects: Subject[] = [];
    const releases: (() => void)[] = [];
    for (const causal of [false, true]) {
      for (const [name, options] of Object.entries(maps)) {
        const drawn = drawnFeatures(backend, D_HEAD, { numFeatures: NUM_FEATURES, ...options });
        const passes = favorPasses(backend, { heads: HEADS, length: LENGTH, dHead: D_HEAD }, drawn.features, causal);
        const flops = 8 * LENGTH * drawn.features.numFeatures * D_HEAD * HEADS;
        subjects.push({ label: label(name, causal), flops, run: passes.forward });
        releases.push(passes.release, drawn.release);
      }
    }
    return { subjects, release: () => releaseAll(releases) };
  },
};
