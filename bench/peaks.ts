import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { BackendKind, BenchmarkCase, Subjects } from './case.ts';
import type { Subject } from './measure.ts';
import { FLOPS_PER_ITERATION, threadsText } from './peak.ts';
import { benchFolder } from './peers/install.ts';

/** The builds of the kernels, best first. */
const instructionSets: Readonly<Record<BackendKind, readonly string[]>> = {
  native: ['avx512', 'avx2', 'sse2', 'neon'],
  wasm: ['relaxed', 'simd128'],
};
/** Some 20 ms and more: a message to the process and back takes about 0.1 ms. */
const ITERATIONS = 800_000;

/** A process that runs the peak of one build; undefined if this machine does not. */
async function startChild(kind: BackendKind, set: string, numThreads: number): Promise<ChildProcess | undefined> {
  const flags = set === 'relaxed' && Number(process.versions.node.split('.')[0]) < 21;
  const child = fork(join(benchFolder, 'peak-child.mjs'), [kind, String(numThreads), String(ITERATIONS)], {
    env: { ...process.env, PERFORMERS_INSTRUCTION_SET: set },
    execArgv: flags ? ['--experimental-wasm-relaxed-simd'] : [],
    stdio: 'ignore',
  });
  const ready = await Promise.race([once(child, 'message').then(() => true), once(child, 'exit').then(() => false)]);
  return ready ? child : undefined;
}

/** The peaks that shares refer to: one per instruction set of the machine, on one thread and on all; shares are of the best. */
export const peaks: BenchmarkCase = {
  name: 'peak',
  description: 'multiply-adds in registers, by every build that runs here; shares are of the build in use',
  on: ['native', 'wasm'],
  check: async () => [],

  async prepare(backend): Promise<Subjects> {
    const kind = backend.name === 'wasm' ? 'wasm' : 'native';
    const subjects: Subject[] = [];
    const children: ChildProcess[] = [];
    // WebAssembly comes once for each number of threads
    const threads = kind === 'wasm' ? [backend.numThreads] : [...new Set([1, backend.numThreads])];
    for (const set of instructionSets[kind]) {
      for (const numThreads of threads) {
        const child = await startChild(kind, set, numThreads);
        if (!child) continue;
        children.push(child);
        const ended = once(child, 'exit').then(() => {
          throw new Error(`The process that measures the peak of ${set} ended.`);
        });
        // when it is no longer needed
        ended.catch(() => {});
        subjects.push({
          label: kind === 'wasm' ? set : `${set}, ${threadsText(numThreads)}`,
          flops: numThreads * ITERATIONS * FLOPS_PER_ITERATION,
          run: async () => {
            const done = once(child, 'message');
            child.send('run');
            await Promise.race([done, ended]);
          },
        });
      }
    }
    return {
      subjects,
      release: () => {
        for (const child of children) child.kill();
      },
    };
  },
};
