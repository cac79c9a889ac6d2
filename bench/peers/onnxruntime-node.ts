/** onnxruntime's native CPU kernels, by the graphs that onnxruntime-web runs as well. */
import { loadPeer } from './install.ts';
import { type OnnxRuntime, onnxOperations } from './onnx-graphs.ts';
import type { Peer } from './peer.ts';

export const onnxruntimeNode: Peer = {
  name: 'onnxruntime-node',
  runsOn: 'native',
  threads: (numThreads) => numThreads,
  ...onnxOperations(
    () => loadPeer<OnnxRuntime>('onnxruntime-node'),
    (numThreads) => ({
      executionProviders: ['cpu'],
      executionMode: 'sequential',
      intraOpNumThreads: numThreads,
      interOpNumThreads: 1,
    }),
  ),
};
