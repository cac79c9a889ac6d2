/**
 * TensorFlow.js on its WebAssembly backend with SIMD. Only products of two matrices reach XNNPACK there. Batched or
 * transposed products take a loop that is ten times slower, and so does exp against the fused softmax. The best form
 * therefore goes head by head.
 */
import { loadPeer } from './install.ts';
import type { AttentionProblem, Peer, PeerRun } from './peer.ts';

interface Tensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}

/** What is used of `@tensorflow/tfjs-core`. */
interface TensorFlow {
  setBackend(name: string): Promise<boolean>;
  tidy<T extends Tensor>(work: () => T): T;
  tensor(values: Float32Array, shape: readonly number[]): Tensor;
  matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  softmax(x: Tensor, axis: number): Tensor;
  exp(x: Tensor): Tensor;
  square(x: Tensor): Tensor;
  max(x: Tensor, axis: number | readonly number[], keepDims: boolean): Tensor;
  sum(x: Tensor, axis: number, keepDims: boolean): Tensor;
  sub(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: Tensor | number): Tensor;
  div(a: Tensor, b: Tensor): Tensor;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  transpose(x: Tensor, permutation?: readonly number[]): Tensor;
  stack(parts: readonly Tensor[]): Tensor;
  unstack(x: Tensor): Tensor[];
}

let loading: Promise<TensorFlow> | undefined;

/** Once: a second setBackend while the first is under way makes that fail. */
export function loadTensorFlow(): Promise<TensorFlow> {
  loading ??= (async () => {
    const tf = await loadPeer<TensorFlow>('@tensorflow/tfjs-core');
    await loadPeer('@tensorflow/tfjs-backend-wasm');
    if (!(await tf.setBackend('wasm'))) throw new Error('its wasm backend did not start');
    return tf;
  })();
  return loading;
}

function repeated(tf: TensorFlow, form: string, inputs: readonly Tensor[], compute: () => Tensor): PeerRun {
  return {
    form,
    run: () => tf.tidy(compute).dispose(),
    async read() {
      const out = tf.tidy(compute);
      const values = await out.data();
      out.dispose();
      return values;
    },
    release() {
      for (const input of inputs) input.dispose();
    },
  };
}

function attentionTensors(tf: TensorFlow, { heads, length, dHead, q, k, v }: AttentionProblem) {
  const [queries, keys, values] = [q, k, v].map((data) => tf.tensor(data, [heads, length, dHead]));
  return { queries, keys, values };
}

/** `[numFeatures, dHead]`, with the scale of queries and keys in it. */
function scaledDirections(tf: TensorFlow, { dHead, numFeatures, projection }: AttentionProblem): Tensor {
  const scaled = projection.map((x) => x * dHead ** -0.25);
  return tf.tensor(scaled, [numFeatures, dHead]);
}

export const tfjs: Peer = {
  name: '@tensorflow/tfjs',
  runsOn: 'wasm',
  // in Node its threads are switched off, and forced on they fail: a worker from a blob
  threads: () => 1,

  async gemm({ m, n, k, a, b }) {
    const tf = await loadTensorFlow();
    const inputs = [tf.tensor(a, [m, k]), tf.tensor(b, [k, n])];
    return [repeated(tf, '', inputs, () => tf.matMul(inputs[0], inputs[1]))];
  },

  async favor(problem) {
    return problem.causal ? [] : Promise.all([favorByHead(problem), favorBatched(problem)]);
  },

  async exact(problem) {
    if (problem.causal) return [];
    const tf = await loadTensorFlow();
    const { queries, keys, values } = attentionTensors(tf, problem);
    const compute = () => {
      const transposed = tf.unstack(tf.transpose(keys, [0, 2, 1]));
      const valuesOf = tf.unstack(values);
      const scaled = tf.unstack(tf.mul(queries, 1 / Math.sqrt(problem.dHead)));
      return tf.stack(
        scaled.map((q, head) => tf.matMul(tf.softmax(tf.matMul(q, transposed[head]), -1), valuesOf[head])),
      );
    };
    return [repeated(tf, 'head by head', [queries, keys, values], compute)];
  },
};

/** What both forms of FAVOR+ start from. */
async function favorTensors(problem: AttentionProblem) {
  const tf = await loadTensorFlow();
  const { queries, keys, values } = attentionTensors(tf, problem);
  const directions = scaledDirections(tf, problem);
  const transposedDirections = tf.transpose(directions);
  const inputs = [queries, keys, values, directions, transposedDirections];
  return { tf, queries, keys, values, directions, transposedDirections, inputs };
}

/** Softmax computes features up to factors that the quotient loses: per row for queries, per head for keys, kept as `[m, length]`. */
async function favorByHead(problem: AttentionProblem): Promise<PeerRun> {
  const { heads, length, dHead, numFeatures } = problem;
  const { tf, queries, keys, values, directions, transposedDirections, inputs } = await favorTensors(problem);
  const compute = () => {
    const rows = tf.reshape(queries, [heads * length, dHead]);
    const queryFeatures = tf.softmax(tf.matMul(rows, transposedDirections), -1);
    const queryFeaturesOf = tf.unstack(tf.reshape(queryFeatures, [heads, length, numFeatures]));
    const keysOf = tf.unstack(tf.transpose(keys, [0, 2, 1]));
    const halfSquaresOf = tf.unstack(tf.mul(tf.sum(tf.square(keys), -1, false), 0.5 / Math.sqrt(dHead)));
    const valuesOf = tf.unstack(values);
    const attend = (q: Tensor, head: number) => {
      const logKeys = tf.sub(tf.matMul(directions, keysOf[head]), halfSquaresOf[head]);
      const flat = tf.softmax(tf.reshape(logKeys, [1, numFeatures * length]), -1);
      const k = tf.reshape(flat, [numFeatures, length]);
      return tf.div(tf.matMul(q, tf.matMul(k, valuesOf[head])), tf.matMul(q, tf.sum(k, 1, true)));
    };
    return tf.stack(queryFeaturesOf.map(attend));
  };
  return repeated(tf, 'head by head', inputs, compute);
}

/** As it would be written first, in operations over all heads. */
async function favorBatched(problem: AttentionProblem): Promise<PeerRun> {
  const { heads, length, dHead, numFeatures } = problem;
  const { tf, queries, keys, values, transposedDirections, inputs } = await favorTensors(problem);
  const compute = () => {
    const project = (x: Tensor) =>
      tf.reshape(tf.matMul(tf.reshape(x, [heads * length, dHead]), transposedDirections), [heads, length, numFeatures]);
    const logQueries = project(queries);
    const halfSquares = tf.mul(tf.sum(tf.square(keys), -1, true), 0.5 / Math.sqrt(dHead));
    const logKeys = tf.sub(project(keys), halfSquares);
    const q = tf.exp(tf.sub(logQueries, tf.max(logQueries, -1, true)));
    const k = tf.exp(tf.sub(logKeys, tf.max(logKeys, [1, 2], true)));
    const normaliser = tf.reshape(tf.sum(k, 1, false), [heads, numFeatures, 1]);
    return tf.div(tf.matMul(q, tf.matMul(k, values, true)), tf.matMul(q, normaliser));
  };
  return repeated(tf, 'batched', inputs, compute);
}
