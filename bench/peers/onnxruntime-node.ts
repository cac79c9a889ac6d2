/** onnxruntime's native CPU kernels. */

import type { OnnxNode, OnnxTensor } from '../../src/entries/onnx.ts';
import { loadPeer } from './install.ts';
import { type OnnxRuntime, onnxOperations, type ProblemGraph, type SessionOptions, startGraph } from './onnx-graphs.ts';
import type { AttentionProblem, Peer } from './peer.ts';

const load = () => loadPeer<OnnxRuntime>('onnxruntime-node');

const session = (numThreads: number): SessionOptions => ({
  executionProviders: ['cpu'],
  executionMode: 'sequential',
  intraOpNumThreads: numThreads,
  interOpNumThreads: 1,
});

const floats = (dims: readonly number[], data: Float32Array<ArrayBuffer>): OnnxTensor => ({ dims, data });

/**
 * FAVOR+ as two fused softmaxes and products alone, the fastest of twelve graphs that were tried. With log-features u_r
 * of queries and ℓ_jr = u_r - D_j of keys, out = softmax_r(u_r + log Σ_j exp ℓ_jr) · (softmax_j(ℓ_jr) V). The shift of
 * the queries and -D of the keys are one more column of their products. The graph takes 70 % of the time of the graph
 * by ReduceMax, Sub, Exp and a quotient.
 */
function favorGraph({ heads, length, dHead, numFeatures, projection, q, k, v }: AttentionProblem): ProblemGraph {
  const dims = [heads, length, dHead];
  const scale = dHead ** -0.25;
  const longDirections = new Float32Array(numFeatures * (dHead + 1)).fill(-0.5 / Math.sqrt(dHead));
  const transposed = new Float32Array(heads * dHead * numFeatures);
  for (let r = 0; r < numFeatures; r++) {
    for (let i = 0; i < dHead; i++) {
      const value = projection[r * dHead + i] * scale;
      longDirections[r * (dHead + 1) + i] = value;
      for (let head = 0; head < heads; head++) transposed[(head * dHead + i) * numFeatures + r] = value;
    }
  }
  const node = (op: string, inputs: string[], output: string, attributes: OnnxNode['attributes'] = {}): OnnxNode => ({
    op,
    inputs,
    outputs: [output],
    attributes,
  });
  return {
    form: '',
    inputs: { q: { dims, data: q }, k: { dims, data: k }, v: { dims, data: v } },
    output: dims,
    constants: {
      // keys: W d^(-1/4), and a column that turns ‖k‖² into -D
      longDirections: floats([numFeatures, dHead + 1], longDirections),
      directions: floats([heads, dHead, numFeatures], transposed),
      ones: floats([heads, length, 1], new Float32Array(heads * length).fill(1)),
    },
    nodes: [
      node('ReduceSumSquare', ['k'], 'squares', { axes: [-1] }),
      node('Concat', ['k', 'squares'], 'longKeys', { axis: -1 }),
      node('Transpose', ['longKeys'], 'keysTransposed', { perm: [0, 2, 1] }),
      node('MatMul', ['longDirections', 'keysTransposed'], 'logKeys'),
      node('Softmax', ['logKeys'], 'keys', { axis: -1 }),
      // log Σ exp ℓ is the largest ℓ minus the logarithm of the largest quotient
      node('ReduceMax', ['logKeys'], 'largestLog', { axes: [-1] }),
      node('ReduceMax', ['keys'], 'largest', { axes: [-1] }),
      node('Log', ['largest'], 'logLargest'),
      node('Sub', ['largestLog', 'logLargest'], 'logSums'),
      node('Transpose', ['logSums'], 'logSumsRow', { perm: [0, 2, 1] }),
      node('Concat', ['directions', 'logSumsRow'], 'shiftedDirections', { axis: 1 }),
      node('Concat', ['q', 'ones'], 'longQueries', { axis: -1 }),
      node('MatMul', ['longQueries', 'shiftedDirections'], 'logQueries'),
      node('Softmax', ['logQueries'], 'queries', { axis: -1 }),
      node('MatMul', ['keys', 'v'], 'state'),
      node('MatMul', ['queries', 'state'], 'out'),
    ],
  };
}

export const onnxruntimeNode: Peer = {
  name: 'onnxruntime-node',
  runsOn: 'native',
  threads: (numThreads) => numThreads,
  ...onnxOperations(load, session),
  favor: async (problem, numThreads) =>
    problem.causal ? [] : [await startGraph(await load(), favorGraph(problem), session(numThreads))],
};
