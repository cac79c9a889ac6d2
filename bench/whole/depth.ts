import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Backend, TransformerOptions } from '../../src/entries/performers.ts';
import { type BenchmarkCase, type Check, compare, type Measurement, releaseAll, type Subjects } from '../case.ts';
import type { Subject } from '../measure.ts';
import { createDeepTrainer, layerSize, type StepMemory, type Variant, variants } from './depth-inputs.ts';
import { createTrainer, flopsOf } from './training-step.ts';

const depths = [2, 6, 12, 24];
const names = Object.keys(variants) as Variant[];
const MEBIBYTE = 2 ** 20;
/** Weight, gradient and two moments, float32. */
const BYTES_PER_PARAMETER = 16;

const labelOf = (variant: Variant, numLayers: number) => `${numLayers} layers, ${variant}`;

/** Steps in a process of their own, whose memory nothing else has touched. */
async function stepMemory(backend: Backend, numLayers: number, variant: Variant): Promise<StepMemory> {
  const child = fileURLToPath(new URL('./bench-depth.js', import.meta.url));
  const options = [backend.name, String(backend.numThreads), String(numLayers), variant];
  const { stdout } = await promisify(execFile)(process.execPath, [child, ...options]);
  return JSON.parse(stdout) as StepMemory;
}

/** Loss and norm of the gradient over three steps of a small deep model. */
async function trajectory(backend: Backend, options: Partial<TransformerOptions>): Promise<number[]> {
  const size = { dModel: 12, numLayers: 12, numHeads: 3, dFeedForward: 20, vocabSize: 17, batchSize: 2, length: 23 };
  const trainer = createTrainer(backend, size, 'favor', 13, options);
  const found: number[] = [];
  for (let step = 0; step < 3; step++) {
    const { loss, gradientNorm } = await trainer.step();
    found.push(loss, gradientNorm);
  }
  trainer.dispose();
  trainer.model.dispose();
  return found;
}

export const depth: BenchmarkCase = {
  name: 'depth',
  description:
    `training steps by depth: d = ${layerSize.dModel}, d_ff = ${layerSize.dFeedForward}, 1 × ${layerSize.length} tokens, FAVOR+, causal; activations kept, or made ` +
    'again by reversible layers. Flops of the kept form; memory: most that the backend held in two steps, beyond 16 bytes per parameter',

  async check(backend, reference) {
    const checks: Check[] = [];
    for (const variant of names) {
      const options = variants[variant];
      const [values, expected] = [await trajectory(backend, options), await trajectory(reference, options)];
      checks.push(compare(`${variant}, losses and gradient norms of 12 layers`, values, expected, 1e-5));
    }
    return checks;
  },

  async prepare(backend): Promise<Subjects> {
    const subjects: Subject[] = [];
    const releases: (() => void)[] = [];
    for (const numLayers of depths) {
      for (const variant of names) {
        const trainer = createDeepTrainer(backend, numLayers, variant);
        subjects.push({
          label: labelOf(variant, numLayers),
          flops: flopsOf({ ...layerSize, numLayers }, 'favor'),
          tokens: layerSize.length,
          run: async () => void (await trainer.step()),
        });
        releases.push(() => {
          trainer.dispose();
          trainer.model.dispose();
        });
      }
    }
    const comparisons = depths.flatMap((numLayers) =>
      names.slice(1).map((variant) => [labelOf(variant, numLayers), labelOf('kept', numLayers)] as const),
    );
    return {
      subjects,
      comparisons,
      async summarise() {
        const found: Measurement[] = [];
        for (const numLayers of depths) {
          for (const variant of names) {
            const { held, numParameters } = await stepMemory(backend, numLayers, variant);
            const value = (held - BYTES_PER_PARAMETER * numParameters) / MEBIBYTE;
            found.push({ label: labelOf(variant, numLayers), value, unit: 'MiB' });
          }
        }
        return found;
      },
      release: () => releaseAll(releases),
    };
  },
};
