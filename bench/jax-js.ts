/** FAVOR+ composed of array operations in `@jax-js/jax`, as its user would write it, on its WebAssembly backend. */
import type { Array as JaxArray } from '@jax-js/jax';

export interface JaxFavor {
  run(): Promise<void>;
  read(): Promise<ArrayLike<number>>;
  release(): void;
}

export interface JaxFavorInputs {
  readonly heads: number;
  readonly length: number;
  readonly dHead: number;
  readonly numFeatures: number;
  /** `[heads, length, dHead]`. */
  readonly q: Float32Array<ArrayBuffer>;
  readonly k: Float32Array<ArrayBuffer>;
  readonly v: Float32Array<ArrayBuffer>;
  /** `[numFeatures, dHead]`. */
  readonly projection: Float32Array<ArrayBuffer>;
}

/**
 * Bidirectional FAVOR+ compiled by `jit`, with the stabilisers of the authors' code: the maximum per query, and the maximum
 * over all keys. jax-js runs on one thread in Node, which has no web workers.
 * @throws if the package is not installed or its WebAssembly backend does not start.
 */
export async function jaxFavor(inputs: JaxFavorInputs): Promise<JaxFavor> {
  // jax-js asks for navigator.userAgent; Node has it from version 21 on.
  if (!('navigator' in globalThis)) Object.defineProperty(globalThis, 'navigator', { value: { userAgent: 'Node' } });
  const { defaultDevice, init, jit, numpy: np } = await loadJax();
  const devices = await init('wasm');
  if (!devices.includes('wasm')) throw new Error('jax-js did not start its wasm backend.');
  defaultDevice('wasm');

  const { heads, length, dHead, numFeatures } = inputs;
  const logFeatures = (x: JaxArray, projection: JaxArray): JaxArray => {
    const scaled = x.mul(dHead ** -0.25);
    const projected = np.matmul(scaled.ref, np.matrixTranspose(projection));
    return projected.sub(np.sum(scaled.ref.mul(scaled), -1, { keepdims: true }).mul(0.5));
  };
  const favor = jit((q: JaxArray, k: JaxArray, v: JaxArray, projection: JaxArray): JaxArray => {
    const logQueries = logFeatures(q, projection.ref);
    const logKeys = logFeatures(k, projection);
    const queries = np.exp(logQueries.ref.sub(np.max(logQueries, -1, { keepdims: true })));
    const keys = np.exp(logKeys.ref.sub(np.max(logKeys, [1, 2], { keepdims: true })));
    const values = np.matmul(np.matrixTranspose(keys.ref), v);
    const normaliser = np.sum(keys, 1).reshape([heads, numFeatures, 1]);
    return np.matmul(queries.ref, values).div(np.matmul(queries, normaliser));
  });

  const shape = [heads, length, dHead];
  const arrays = [
    np.array(inputs.q).reshape(shape),
    np.array(inputs.k).reshape(shape),
    np.array(inputs.v).reshape(shape),
  ];
  const projection = np.array(inputs.projection).reshape([numFeatures, dHead]);
  const compute = (): JaxArray => favor(arrays[0].ref, arrays[1].ref, arrays[2].ref, projection.ref);
  return {
    async run() {
      const out = await compute().blockUntilReady();
      out.dispose();
    },
    read: async () => (await compute().data()) as Float32Array,
    release() {
      for (const array of [...arrays, projection]) array.dispose();
      favor.dispose();
    },
  };
}

/** Imported by a variable name, so that bundlers leave it out: it is a development dependency. */
async function loadJax(): Promise<typeof import('@jax-js/jax')> {
  const name = '@jax-js/jax';
  try {
    return await import(name);
  } catch (error) {
    throw new Error(`${name} could not be loaded: run \`npm install\` with development dependencies.`, {
      cause: error,
    });
  }
}
