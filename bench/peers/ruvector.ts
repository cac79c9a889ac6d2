/** `ruvector-attention-wasm`, whose linear attention is "Performer-style": its values are examined, and say why it is not timed. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { normalNumbers } from '../case.ts';
import { benchFolder, loadPeer } from './install.ts';
import type { Peer } from './peer.ts';

interface Ruvector {
  initSync(options: { module: Uint8Array }): unknown;
  /** Draws its own projection; takes one query at a time. */
  readonly WasmLinearAttention: new (
    dHead: number,
    numFeatures: number,
  ) => { compute(query: Float32Array, keys: readonly Float32Array[], values: readonly Float32Array[]): Float32Array };
}

const LENGTH = 64;
const D_HEAD = 16;
/** Features numbers that should divide the error by eight. */
const FEW = 64;
const MANY = 4096;

const rowsOf = (seed: number, deviation: number) => {
  const values = normalNumbers(LENGTH * D_HEAD, seed, deviation);
  return Array.from({ length: LENGTH }, (_, row) => values.slice(row * D_HEAD, (row + 1) * D_HEAD));
};

function exactAttention(query: Float32Array, keys: readonly Float32Array[], values: readonly Float32Array[]): number[] {
  const weights = keys.map((key) =>
    Math.exp(key.reduce((sum, x, i) => sum + x * query[i], 0) / Math.sqrt(query.length)),
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Array.from(query, (_, i) => values.reduce((sum, value, j) => sum + weights[j] * value[i], 0) / total);
}

/** ‖a − b‖ / ‖b‖ over all rows. */
function relativeDistance(a: readonly ArrayLike<number>[], b: readonly (readonly number[])[]): number {
  let difference = 0;
  let size = 0;
  b.forEach((row, i) => {
    row.forEach((x, j) => {
      difference += (a[i][j] - x) ** 2;
      size += x ** 2;
    });
  });
  return Math.sqrt(difference / size);
}

export const ruvector: Peer = {
  name: 'ruvector-attention-wasm',
  runsOn: 'wasm',
  threads: () => 1,

  /** @throws what its error against exact attention is: it can be compared once more features make that smaller. */
  async favor() {
    const name = 'ruvector-attention-wasm';
    const { initSync, WasmLinearAttention } = await loadPeer<Ruvector>(name);
    initSync({ module: await readFile(join(benchFolder, `node_modules/${name}/ruvector_attention_wasm_bg.wasm`)) });
    // small numbers, for which positive features do well
    const [queries, keys, values] = [rowsOf(1, 0.5), rowsOf(2, 0.5), rowsOf(3, 1)];
    const exact = queries.map((query) => exactAttention(query, keys, values));
    const errorWith = (numFeatures: number) => {
      const attention = new WasmLinearAttention(D_HEAD, numFeatures);
      return relativeDistance(
        queries.map((query) => attention.compute(query, keys, values)),
        exact,
      );
    };
    const uniform = exactAttention(new Float32Array(D_HEAD), keys, values);
    const blind = relativeDistance(
      exact.map(() => uniform),
      exact,
    );
    throw new Error(
      `its linear attention does not approach exact attention: error ${errorWith(FEW).toFixed(2)} with ${FEW} features, ` +
        `${errorWith(MANY).toFixed(2)} with ${MANY}, where averaging all values alike has ${blind.toFixed(2)}`,
    );
  },
};
