/** Node as a {@link Host}: kernels from files, workers from worker_threads, settings from the environment. */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { environment } from '../../base/environment.ts';
import { ConfigurationError, PlatformError } from '../../base/errors.ts';
import type { Host, WasmVariant, WorkerHandle, WorkerStart } from '../host.ts';
import type { NativeAddon } from './module.ts';
import { openTrace } from './trace-file.ts';

const require = createRequire(import.meta.url);

/**
 * Kernels are in dist/kernels: beside this file once bundled into dist/, three folders up when run from src/backend/native/. A file in
 * the folder PERFORMERS_KERNELS comes first, such as a build with sanitizers.
 */
function kernelFile(name: string): string {
  const own = environment('PERFORMERS_KERNELS');
  const built = ['./kernels/', '../../../dist/kernels/'].map((folder) =>
    fileURLToPath(new URL(folder + name, import.meta.url)),
  );
  const candidates = own ? [join(own, name), ...built] : built;
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined) throw new PlatformError(`${name} is not in dist/kernels, where \`npm run build\` puts it`);
  return found;
}

function threadsFromEnvironment(): number {
  const text = environment('PERFORMERS_THREADS');
  if (text === undefined) return availableParallelism();
  const threads = Number(text);
  if (!Number.isInteger(threads) || threads < 1) {
    throw new ConfigurationError(
      `PERFORMERS_THREADS is "${text}": set it to a whole number of at least 1, or leave it unset.`,
    );
  }
  return threads;
}

function startWorker(start: WorkerStart): WorkerHandle {
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  // no flags of the process: --input-type, say, is only for code on the command line
  const worker = new Worker(kernelFile('worker.js'), { workerData: start, execArgv: [] });
  worker.unref();
  const ready = new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', reject);
  });
  return { ready, terminate: () => void worker.terminate() };
}

const warned = new Set<string>();

export const nodeHost: Host = {
  get defaultThreads() {
    return threadsFromEnvironment();
  },
  get instructionSet() {
    return environment('PERFORMERS_INSTRUCTION_SET');
  },
  get debug() {
    return environment('PERFORMERS_DEBUG');
  },
  get trace() {
    return environment('PERFORMERS_TRACE');
  },
  openTrace,
  log: (line) => void process.stderr.write(`${line}\n`),
  sharesMemory: true,
  mayBlock: true,
  loadAddon: () => require(kernelFile(`performers-${process.platform}-${process.arch}.node`)) as NativeAddon,
  compileWasm: async (variant: WasmVariant) => WebAssembly.compile(await readFile(kernelFile(`${variant}.wasm`))),
  startWorker,
  warn(message) {
    if (warned.has(message)) return;
    warned.add(message);
    process.stderr.write(`${message}\n`);
  },
};
