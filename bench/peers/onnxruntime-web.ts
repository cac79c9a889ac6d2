/** onnxruntime's kernels compiled to WebAssembly with SIMD and threads, the same graphs as onnxruntime-node's. */
import { loadPeer } from './install.ts';
import { type OnnxRuntime, onnxOperations } from './onnx-graphs.ts';
import type { Peer } from './peer.ts';

interface OnnxRuntimeWeb extends OnnxRuntime {
  readonly env: { readonly wasm: { numThreads: number } };
}

export const onnxruntimeWeb: Peer = {
  name: 'onnxruntime-web',
  runsOn: 'wasm',
  threads: (numThreads) => numThreads,
  ...onnxOperations(
    async (numThreads) => {
      const runtime = await loadPeer<OnnxRuntimeWeb>('onnxruntime-web');
      // read once, when the first session starts
      runtime.env.wasm.numThreads = numThreads;
      return runtime;
    },
    () => ({ executionProviders: ['wasm'] }),
  ),
};
