/** `@jax-js/jax` on its WebAssembly backend: array operations composed as its user would, compiled by `jit`. */
import { loadPeer } from './install.ts';
import type { AttentionProblem, Peer, PeerRun } from './peer.ts';

/** The part of an array of jax-js that is used here. */
interface JaxArray {
  readonly ref: JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  div(other: JaxArray): JaxArray;
  sub(other: JaxArray): JaxArray;
  blockUntilReady(): Promise<JaxArray>;
  data(): Promise<ArrayLike<number>>;
  dispose(): void;
}

type JaxFunction = (...arrays: JaxArray[]) => JaxArray;

/** The part of `@jax-js/jax` that is used here: its own types exist only once the bench has installed the package. */
interface Jax {
  init(device: string): Promise<readonly string[]>;
  defaultDevice(device: string): void;
  jit(operation: JaxFunction): JaxFunction & { dispose(): void };
  readonly numpy: {
    array(values: Float32Array): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    matrixTranspose(a: JaxArray): JaxArray;
    sum(a: JaxArray, axis: number | readonly number[], options?: { keepdims: boolean }): JaxArray;
    max(a: JaxArray, axis: number | readonly number[], options?: { keepdims: boolean }): JaxArray;
    exp(a: JaxArray): JaxArray;
  };
  readonly nn: { softmax(a: JaxArray, axis: number): JaxArray };
}

async function loadJax(): Promise<Jax> {
  // jax-js asks for navigator.userAgent, which Node has from version 21 on
  if (!('navigator' in globalThis)) Object.defineProperty(globalThis, 'navigator', { value: { userAgent: 'Node' } });
  const { jax, devices } = await withoutWorker(async () => {
    const loaded = await loadPeer<Jax>('@jax-js/jax');
    return { jax: loaded, devices: await loaded.init('wasm') };
  });
  if (!devices.includes('wasm')) throw new Error('its wasm backend did not start');
  jax.defaultDevice('wasm');
  return jax;
}

/** Once onnxruntime-web has put Node's own worker threads there as `Worker`, jax-js takes them for a browser's and fails. */
async function withoutWorker<T>(work: () => Promise<T>): Promise<T> {
  const worker = Object.getOwnPropertyDescriptor(globalThis, 'Worker');
  if (worker === undefined) return work();
  Reflect.deleteProperty(globalThis, 'Worker');
  try {
    return await work();
  } finally {
    Object.defineProperty(globalThis, 'Worker', worker);
  }
}

/** `operation` compiled, on arrays that are kept for every run; it consumes references, as all of jax-js does. */
function compiled({ jit }: Jax, arrays: readonly JaxArray[], operation: JaxFunction): PeerRun {
  const run = jit(operation);
  const compute = (): JaxArray => run(...arrays.map((array) => array.ref));
  return {
    form: '',
    run: () =>
      withoutWorker(async () => {
        const out = await compute().blockUntilReady();
        out.dispose();
      }),
    read: () => withoutWorker(async () => (await compute().data()) as Float32Array),
    release() {
      for (const array of arrays) array.dispose();
      run.dispose();
    },
  };
}

function attentionArrays({ numpy: np }: Jax, { heads, length, dHead, q, k, v }: AttentionProblem): JaxArray[] {
  return [q, k, v].map((values) => np.array(values).reshape([heads, length, dHead]));
}

export const jaxJs: Peer = {
  name: '@jax-js/jax',
  runsOn: 'wasm',
  // Node has no web workers
  threads: () => 1,

  async gemm({ m, n, k, a, b }) {
    const jax = await loadJax();
    const { numpy: np } = jax;
    return [compiled(jax, [np.array(a).reshape([m, k]), np.array(b).reshape([k, n])], (x, y) => np.matmul(x, y))];
  },

  /**
   * With the stabilisers of the authors' code: the maximum per query, and over all keys. A query's own -‖x̂‖²/2 cancels from the
   * quotient and is left out; the projection comes scaled and transposed.
   */
  async favor(problem) {
    if (problem.causal) return [];
    const jax = await loadJax();
    const { numpy: np } = jax;
    const { heads, dHead, numFeatures } = problem;
    const directions = np.matrixTranspose(
      np.array(problem.projection.map((x) => x * dHead ** -0.25)).reshape([numFeatures, dHead]),
    );
    return [
      compiled(jax, [...attentionArrays(jax, problem), directions], (q, k, v, w) => {
        const logQueries = np.matmul(q, w.ref);
        const halfSquares = np.sum(k.ref.mul(k.ref), -1, { keepdims: true }).mul(0.5 / Math.sqrt(dHead));
        const logKeys = np.matmul(k, w).sub(halfSquares);
        const queries = np.exp(logQueries.ref.sub(np.max(logQueries, -1, { keepdims: true })));
        const keys = np.exp(logKeys.ref.sub(np.max(logKeys, [1, 2], { keepdims: true })));
        const state = np.matmul(np.matrixTranspose(keys.ref), v);
        const normaliser = np.sum(keys, 1).reshape([heads, numFeatures, 1]);
        return np.matmul(queries.ref, state).div(np.matmul(queries, normaliser));
      }),
    ];
  },

  /** Its nn.dotProductAttention is the same composition in another layout, by an einsum that Node 20 cannot parse. */
  async exact(problem) {
    if (problem.causal) return [];
    const jax = await loadJax();
    const { numpy: np, nn } = jax;
    const scale = 1 / Math.sqrt(problem.dHead);
    return [
      compiled(jax, attentionArrays(jax, problem), (q, k, v) =>
        np.matmul(nn.softmax(np.matmul(q.mul(scale), np.matrixTranspose(k)), -1), v),
      ),
    ];
  },
};
