/** A browser (or any web worker) as a {@link Host}. Files are fetched from `kernels/` beside the bundled module. */
import { PlatformError } from '../../base/errors.ts';
import type { Host, WasmVariant, WorkerHandle, WorkerStart } from '../host.ts';

// Each URL is spelled out, so that bundlers find the files.
const FILES: Record<WasmVariant, () => URL> = {
  kernels: () => new URL('./kernels/kernels.wasm', import.meta.url),
  'kernels-relaxed': () => new URL('./kernels/kernels-relaxed.wasm', import.meta.url),
  'kernels-threads': () => new URL('./kernels/kernels-threads.wasm', import.meta.url),
  'kernels-relaxed-threads': () => new URL('./kernels/kernels-relaxed-threads.wasm', import.meta.url),
};

async function compileWasm(variant: WasmVariant): Promise<WebAssembly.Module> {
  const url = FILES[variant]();
  const response = await fetch(url);
  if (!response.ok) {
    throw new PlatformError(
      `${url} answered ${response.status}: serve the kernels/ folder beside the module that loads it.`,
    );
  }
  return WebAssembly.compile(await response.arrayBuffer());
}

function startWorker(start: WorkerStart): WorkerHandle {
  const worker = new Worker(new URL('./kernels/worker.js', import.meta.url), { type: 'module' });
  const ready = new Promise<void>((resolve, reject) => {
    worker.onmessage = () => resolve();
    worker.onerror = (event) => reject(new PlatformError(`A WebAssembly worker did not start: ${event.message}`));
  });
  worker.postMessage(start);
  return { ready, terminate: () => worker.terminate() };
}

export const browserHost: Host = {
  get defaultThreads() {
    return Math.max(1, globalThis.navigator?.hardwareConcurrency ?? 1);
  },
  get sharesMemory() {
    return globalThis.crossOriginIsolated === true;
  },
  // Only a page's own thread has a document, and it may not sleep.
  get mayBlock() {
    return typeof document === 'undefined';
  },
  compileWasm,
  startWorker,
  log: (line) => console.log(line),
  warn: (message) => console.warn(message),
};
