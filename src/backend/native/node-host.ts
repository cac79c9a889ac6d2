/** Node as a {@link Host}: kernels from files, workers from worker_threads, settings from the environment. */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isCheckout } from '../../base/checkout.ts';
import { environment } from '../../base/environment.ts';
import { ConfigurationError, PlatformError } from '../../base/errors.ts';
import type { Host, Place, WasmVariant, WorkerHandle, WorkerStart } from '../host.ts';
import { fetchBytes, within } from '../wasm/fetch-bytes.ts';
import type { NativeAddon } from './module.ts';
import { openTrace } from './trace-file.ts';

/** Not imported: webpack replaces what createRequire gives, and the addon would not load. */
const { createRequire } = process.getBuiltinModule('node:module');

/** This module. A bundle of CommonJS has no import.meta.url: then the program, or the current folder. */
const here = import.meta.url ?? pathToFileURL(process.argv[1] ?? join(process.cwd(), 'none')).href;
const load = createRequire(here);

/** The folder dist/kernels of an installed package, seen from a bundle or from the current folder. */
function installedKernels(): string[] {
  return [here, pathToFileURL(join(process.cwd(), 'none'))].flatMap((from) => {
    try {
      return [join(dirname(createRequire(from).resolve('performers/package.json')), 'dist/kernels')];
    } catch {
      return [];
    }
  });
}

/** The path of a place; undefined where the place is an address elsewhere. */
function localPath(place: Place): string | undefined {
  const text = String(place);
  if (/^file:/i.test(text)) return fileURLToPath(text);
  // One letter before a colon is a drive of Windows.
  return /^[a-z][a-z\d+.-]+:/i.test(text) ? undefined : text;
}

/**
 * A file of the kernels in `folder`, by default in dist/kernels. That folder is beside this file in dist/, three folders up
 * from src/backend/native/, and in an installed package for a bundle. A file in the folder PERFORMERS_KERNELS comes before
 * these, such as a build with sanitizers.
 */
function kernelFile(name: string, folder?: Place): string {
  if (folder !== undefined) {
    const path = localPath(folder);
    if (path && existsSync(join(path, name))) return join(path, name);
    throw new PlatformError(
      `${name} is not in ${folder}, which \`kernels\` names: copy the files of dist/kernels there`,
    );
  }
  const own = environment('PERFORMERS_KERNELS');
  const built = ['./kernels/', '../../../dist/kernels/'].map((beside) => fileURLToPath(new URL(beside, here)));
  const isFound = (candidate: string) => existsSync(join(candidate, name));
  const found = [...(own ? [own] : []), ...built].find(isFound) ?? installedKernels().find(isFound);
  if (found !== undefined) return join(found, name);
  throw new PlatformError(
    isCheckout()
      ? `${name} is not in dist/kernels, where \`npm run build\` puts it`
      : `${name} is not in ${built[0]}: a bundle finds kernels in a folder kernels/ beside itself, or by createBackend({ kernels })`,
  );
}

async function readPlace(file: Place): Promise<Uint8Array<ArrayBuffer>> {
  const path = localPath(file);
  if (path === undefined) return fetchBytes(file);
  try {
    return await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new PlatformError(`${path} cannot be read (${code}): name a file or the folder of performers/kernels/.`);
  }
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

function startWorker(start: WorkerStart, folder?: Place): WorkerHandle {
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  // no flags of the process: --input-type, say, is only for code on the command line
  const worker = new Worker(kernelFile('worker.js', folder && localPath(folder)), { workerData: start, execArgv: [] });
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
  loadAddon: (folder) => load(kernelFile(`performers-${process.platform}-${process.arch}.node`, folder)) as NativeAddon,
  get addonAdvice() {
    if (isCheckout()) return 'install a C++ compiler and run `npm run build`';
    return "results are the same; backend 'wasm', or PERFORMERS_QUIET=1, hides this message";
  },
  async compileWasm(variant: WasmVariant, folder) {
    const name = `${variant}.wasm`;
    const isRemote = folder !== undefined && localPath(folder) === undefined;
    return WebAssembly.compile(await readPlace(isRemote ? within(folder, name) : kernelFile(name, folder)));
  },
  readFile: readPlace,
  startWorker,
  warn(message) {
    if (warned.has(message) || environment('PERFORMERS_QUIET')) return;
    warned.add(message);
    process.stderr.write(`${message}\n`);
  },
};
