/** A browser (or any web worker) as a {@link Host}. Files are fetched from `kernels/` beside the bundled module. */
import { PlatformError } from '../../base/errors.ts';
import type { Host, Place, WasmVariant, WorkerHandle, WorkerStart } from '../host.ts';
import { fetchBytes, within } from './fetch-bytes.ts';

// Each URL is spelled out, so that bundlers find the files.
const FILES: Record<WasmVariant, () => URL> = {
  kernels: () => new URL('./kernels/kernels.wasm', import.meta.url),
  'kernels-relaxed': () => new URL('./kernels/kernels-relaxed.wasm', import.meta.url),
  'kernels-threads': () => new URL('./kernels/kernels-threads.wasm', import.meta.url),
  'kernels-relaxed-threads': () => new URL('./kernels/kernels-relaxed-threads.wasm', import.meta.url),
  'kernels-inference': () => new URL('./kernels/kernels-inference.wasm', import.meta.url),
  'kernels-inference-relaxed': () => new URL('./kernels/kernels-inference-relaxed.wasm', import.meta.url),
  'kernels-inference-threads': () => new URL('./kernels/kernels-inference-threads.wasm', import.meta.url),
  'kernels-inference-relaxed-threads': () =>
    new URL('./kernels/kernels-inference-relaxed-threads.wasm', import.meta.url),
};

function workerOf(folder: Place | undefined): Worker {
  try {
    if (folder !== undefined) return new Worker(within(folder, 'worker.js'), { type: 'module' });
    return new Worker(new URL('./kernels/worker.js', import.meta.url), { type: 'module' });
  } catch {
    // A page may not start a worker of another origin, such as of a CDN, but a worker of its own may import that file.
    const url = folder === undefined ? new URL('./kernels/worker.js', import.meta.url) : within(folder, 'worker.js');
    const code = new Blob([`import ${JSON.stringify(url.href)};`], { type: 'text/javascript' });
    return new Worker(URL.createObjectURL(code), { type: 'module' });
  }
}

function startWorker(start: WorkerStart, folder?: Place): WorkerHandle {
  const worker = workerOf(folder);
  const ready = new Promise<void>((resolve, reject) => {
    worker.onmessage = () => resolve();
    worker.onerror = (event) => reject(new PlatformError(`a worker did not load: ${event.message ?? 'no answer'}`));
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
  compileWasm: async (variant, folder) =>
    WebAssembly.compile(await fetchBytes(folder === undefined ? FILES[variant]() : within(folder, `${variant}.wasm`))),
  readFile: fetchBytes,
  startWorker,
  log: (line) => console.log(line),
  warn: (message) => console.warn(message),
};
