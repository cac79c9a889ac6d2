import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Backend, drawFeatures, favorAttention } from '../../src/entries/performers.ts';
import { D_HEAD, HEADS, NUM_FEATURES } from '../attention/attention-inputs.ts';
import { type BenchmarkCase, type Check, compare, type Measurement, type Subjects } from '../case.ts';
import type { ForwardMemory } from './memory-child.ts';
import { longInputs } from './memory-inputs.ts';

const LENGTH = 65_536;
const directions = ['bidirectional', 'causal'] as const;
const MEBIBYTE = 2 ** 20;

/** A forward pass in a process of its own, whose memory nothing else has touched. */
async function forwardMemory(backend: Backend, direction: string): Promise<ForwardMemory> {
  const child = fileURLToPath(new URL('./bench-memory.js', import.meta.url));
  const options = [backend.name, String(backend.numThreads), String(LENGTH), direction];
  const { stdout } = await promisify(execFile)(process.execPath, [child, ...options]);
  return JSON.parse(stdout) as ForwardMemory;
}

export const memory: BenchmarkCase = {
  name: 'memory',
  description:
    `forward passes at L = ${LENGTH}: ${HEADS} heads of ${D_HEAD}, m = ${NUM_FEATURES}. Memory beyond q, k, v and the output, of ` +
    'public favorAttention in a process of its own; resident: scratch space, threads and code included',
  on: ['native', 'wasm'],

  async check(backend, reference) {
    const run = async (on: Backend, causal: boolean) => {
      const features = drawFeatures(on, D_HEAD, { numFeatures: NUM_FEATURES });
      const inputs = longInputs(on, 101);
      const out = favorAttention(...inputs, { features, causal });
      const values = await out.data();
      for (const tensor of [...inputs, features.projection, out]) tensor.dispose();
      return values;
    };
    const checks: Check[] = [];
    for (const direction of directions) {
      const causal = direction === 'causal';
      checks.push(compare(direction, await run(backend, causal), await run(reference, causal), 1e-5));
    }
    return checks;
  },

  async prepare(backend): Promise<Subjects> {
    const features = drawFeatures(backend, D_HEAD, { numFeatures: NUM_FEATURES });
    const inputs = longInputs(backend, LENGTH);
    const subjects = directions.map((direction) => ({
      label: `${direction}, forward`,
      flops: 8 * LENGTH * NUM_FEATURES * D_HEAD * HEADS,
      tokens: LENGTH,
      run: () => favorAttention(...inputs, { features, causal: direction === 'causal' }).dispose(),
    }));
    return {
      subjects,
      async summarise() {
        const found: Measurement[] = [];
        for (const direction of directions) {
          const { backend: held, resident } = await forwardMemory(backend, direction);
          found.push({ label: `${direction}, the backend's blocks`, value: held / MEBIBYTE, unit: 'MiB' });
          found.push({ label: `${direction}, resident`, value: resident / MEBIBYTE, unit: 'MiB' });
        }
        return found;
      },
      release: () => {
        for (const tensor of [...inputs, features.projection]) tensor.dispose();
      },
    };
  },
};
