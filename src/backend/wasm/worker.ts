/** A worker of the WebAssembly backend, in Node and in browsers: built as dist/kernels/worker.js. */
import type { WorkerStart } from '../host.ts';

interface WorkerExports {
  readonly __stack_pointer: WebAssembly.Global;
  worker_loop(index: number): void;
  abandon(): void;
}

function work({ module, memory, index, stackTop }: WorkerStart, ready: () => void): void {
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  const exports = instance.exports as unknown as WorkerExports;
  exports.__stack_pointer.value = stackTop;
  ready();
  try {
    exports.worker_loop(index);
  } catch (error) {
    exports.abandon();
    throw error;
  }
}

if (typeof process === 'object' && process.versions?.node) {
  const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads');
  work(workerData as WorkerStart, () => parentPort?.postMessage('ready'));
} else {
  const scope = globalThis as unknown as Worker & { onmessage: (event: MessageEvent<WorkerStart>) => void };
  scope.onmessage = ({ data }) => work(data, () => scope.postMessage('ready'));
}
