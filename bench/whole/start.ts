/** What a program waits for before its first attention. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Backend, favorAttention } from '../../src/entries/performers.ts';
import { D_HEAD, HEADS, NUM_FEATURES } from '../attention/attention-inputs.ts';
import { type BackendKind, type BenchmarkCase, compare, type Measurement } from '../case.ts';
import { quantile } from '../measure.ts';
import { longInputs } from './memory-inputs.ts';

const LENGTH = 1024;
const ROUNDS = 11;
const PHASES = ['import', 'createBackend', 'first attention'] as const;

/** Prints the milliseconds of each phase. Inputs are made outside of them. */
function program(kind: BackendKind, numThreads: number): string {
  const library = JSON.stringify(new URL('./node.js', import.meta.url).href);
  return `
    const times = [performance.now()];
    const { createBackend, favorAttention, tensor } = await import(${library});
    times.push(performance.now());
    const backend = await createBackend({ backend: '${kind}', numThreads: ${numThreads} });
    times.push(performance.now());
    const [queries, keys, values] = [1, 2, 3].map((seed) => {
      const numbers = Float32Array.from({ length: ${HEADS * LENGTH * D_HEAD} }, (_, i) => Math.sin(seed * i));
      return tensor(backend, numbers, [1, ${HEADS}, ${LENGTH}, ${D_HEAD}]);
    });
    const start = performance.now();
    await favorAttention(queries, keys, values, { features: { numFeatures: ${NUM_FEATURES} } }).data();
    const attention = performance.now() - start;
    console.log(JSON.stringify([times[1] - times[0], times[2] - times[1], attention]));
    backend.close();`;
}

async function run(kind: BackendKind, numThreads: number): Promise<number[]> {
  const args = ['--input-type=module', '-e', program(kind, numThreads)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as number[];
}

/** Medians over fresh processes, the kinds taking turns. */
async function starts(kinds: readonly BackendKind[], numThreads: number): Promise<Measurement[]> {
  const samples = new Map(kinds.map((kind) => [kind, [] as number[][]]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
      samples.get(kind)?.push(await run(kind, numThreads));
    }
  }
  return [...samples].flatMap(([kind, rounds]) => [
    ...PHASES.map((phase, i) => ({
      label: `${kind}, ${phase}`,
      value: quantile(
        rounds.map((times) => times[i]),
        0.5,
      ),
      unit: 'ms',
    })),
    {
      label: `${kind}, all (wanted: at most ${kind === 'native' ? 60 : 120})`,
      value: quantile(
        rounds.map((times) => times.reduce((sum, time) => sum + time, 0)),
        0.5,
      ),
      unit: 'ms',
    },
  ]);
}

export const start: BenchmarkCase = {
  name: 'start',
  description:
    `${ROUNDS} fresh processes each, in turn: import of the package, createBackend, one FAVOR+ forward with its projection drawn, ` +
    `L = ${LENGTH}, ${HEADS} heads of ${D_HEAD}, m = ${NUM_FEATURES}; Node's own start is not counted`,

  async check(backend, reference) {
    const values = async (on: Backend) => {
      const inputs = longInputs(on, 101);
      const out = favorAttention(...inputs, { features: { numFeatures: NUM_FEATURES } });
      const numbers = await out.data();
      for (const tensor of [...inputs, out]) tensor.dispose();
      return numbers;
    };
    return [compare('first attention', await values(backend), await values(reference), 1e-5)];
  },

  async prepare(backend) {
    const kinds: BackendKind[] = backend.name === 'native' ? ['native', 'wasm'] : ['wasm'];
    return { subjects: [], summarise: () => starts(kinds, backend.numThreads), release: () => {} };
  },
};
