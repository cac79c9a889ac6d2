/** FAVOR+ on plain arrays, for properties that span several calls. */
import type { Backend, Estimator, FavorResult, Storage } from '../../src/backend/types.ts';

/** q, k `[heads, length, dHead]`, v `[heads, length, dValue]`, projection as the estimator's form has it. */
export interface Inputs {
  readonly heads: number;
  readonly length: number;
  readonly dHead: number;
  readonly dValue: number;
  readonly numFeatures: number;
  readonly estimator: Estimator;
  readonly result: FavorResult;
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly projection: Float32Array;
  readonly bias?: Float32Array;
}

/** The states of all heads as plain numbers; calls replace them by what they leave. */
export interface States {
  sums: Float32Array;
  compensation: Float32Array;
  scales: Float32Array;
}

export function emptyStates({ heads, numFeatures, dValue }: Inputs): States {
  const size = heads * numFeatures * (dValue + 1);
  return {
    sums: new Float32Array(size),
    compensation: new Float32Array(size),
    scales: new Float32Array(heads * numFeatures).fill(Number.NEGATIVE_INFINITY),
  };
}

/** Positions [start, end) of every head. */
export function rowsOf(inputs: Inputs, start: number, end: number): Inputs {
  const { heads, length, dHead, dValue } = inputs;
  const cut = (data: Float32Array, width: number) => {
    const out = new Float32Array(heads * (end - start) * width);
    for (let head = 0; head < heads; head++) {
      const from = head * length * width;
      out.set(data.subarray(from + start * width, from + end * width), head * (end - start) * width);
    }
    return out;
  };
  return {
    ...inputs,
    length: end - start,
    q: cut(inputs.q, dHead),
    k: cut(inputs.k, dHead),
    v: cut(inputs.v, dValue),
  };
}

export class FavorRunner {
  readonly backend: Backend;

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** Causal FAVOR+; `state`, if given, is started from and updated. */
  async causal(
    inputs: Inputs,
    state?: States,
    sequences: readonly (readonly [number, number])[] = [[0, inputs.length]],
  ) {
    return this.#run(inputs, sequences, async (call, upload, outputs) => {
      const arrays = state && {
        sums: upload(state.sums),
        compensation: upload(state.compensation),
        scales: upload(state.scales),
      };
      this.backend.favorCausal({ ...call, ...outputs, ...arrays, updateState: arrays !== undefined });
      if (state && arrays) await this.#keep(state, arrays);
    });
  }

  async bidirectional(
    inputs: Inputs,
    keyMask?: Float32Array,
    sequences: readonly (readonly [number, number])[] = [[0, inputs.length]],
  ) {
    return this.#run(inputs, sequences, async (call, upload, outputs) => {
      const size = sequences.length * inputs.heads * inputs.numFeatures;
      const sums = upload(new Float32Array(size * (inputs.dValue + 1)));
      const compensation = upload(new Float32Array(size * (inputs.dValue + 1)));
      const state = { sums, compensation, scales: upload(new Float32Array(size)) };
      this.backend.favor({ ...call, ...state, ...outputs, keyMask: keyMask && upload(keyMask) });
    });
  }

  /** One favorStep for every position. */
  async steps(inputs: Inputs, state: States): Promise<Float32Array> {
    const { backend } = this;
    const { heads, length, dHead, dValue } = inputs;
    // [length, heads, d], so that a token is one slice
    const byToken = (data: Float32Array, width: number) => backend.upload(turn(data, heads, length, width));
    const q = byToken(inputs.q, dHead);
    const k = byToken(inputs.k, dHead);
    const v = byToken(inputs.v, dValue);
    const out = backend.allocate(heads * length * dValue);
    const projection = backend.upload(inputs.projection);
    const bias = inputs.bias && backend.upload(inputs.bias);
    const arrays = {
      sums: backend.upload(state.sums),
      compensation: backend.upload(state.compensation),
      scales: backend.upload(state.scales),
    };
    const sizes = { batch: 1, heads, dHead, dValue, ...inputs.estimator, ...inputs.result };
    for (let i = 0; i < length; i++) {
      const at = (storage: Storage, width: number) => backend.slice(storage, i * heads * width, heads * width);
      const token = { q: at(q, dHead), k: at(k, dHead), v: at(v, dValue), out: at(out, dValue) };
      backend.favorStep({ ...token, ...arrays, projection, bias, ...sizes });
    }
    const result = turn(Float32Array.from(await backend.read(out)), length, heads, dValue);
    await this.#keep(state, arrays);
    for (const storage of [q, k, v, out, projection, ...Object.values(arrays)]) backend.release(storage);
    if (bias) backend.release(bias);
    return result;
  }

  async #keep(state: States, arrays: Record<keyof States, Storage>): Promise<void> {
    for (const name of ['sums', 'compensation', 'scales'] as const) {
      state[name] = Float32Array.from(await this.backend.read(arrays[name]));
    }
  }

  async #run(
    inputs: Inputs,
    sequences: readonly (readonly [start: number, length: number])[],
    body: (
      call: ReturnType<FavorRunner['callOf']>,
      upload: (data: Float32Array) => Storage,
      outputs: { out: Storage; denominator: Storage },
    ) => Promise<void>,
  ): Promise<Float32Array> {
    const held: Storage[] = [];
    const upload = (data: Float32Array | Int32Array) => {
      held.push(this.backend.upload(data));
      return held[held.length - 1];
    };
    const outputs = {
      out: upload(new Float32Array(inputs.heads * inputs.length * inputs.dValue)),
      denominator: upload(new Float32Array(inputs.heads * inputs.length)),
    };
    await body(this.callOf(inputs, sequences, upload), upload, outputs);
    const out = Float32Array.from(await this.backend.read(outputs.out));
    for (const storage of held) this.backend.release(storage);
    return out;
  }

  callOf(
    inputs: Inputs,
    sequences: readonly (readonly [number, number])[],
    upload: (data: Float32Array | Int32Array) => Storage,
  ) {
    const { heads, length, dHead, dValue, bias } = inputs;
    const rows = sequences.map(([start, count]) => [0, start, count, start, count, 0]);
    return {
      ...{ heads, lengthQ: length, lengthK: length, dHead, dValue, numSequences: sequences.length },
      ...inputs.estimator,
      ...inputs.result,
      bias: bias && upload(bias),
      ...{ q: upload(inputs.q), k: upload(inputs.k), v: upload(inputs.v), projection: upload(inputs.projection) },
      sequences: upload(Int32Array.from(rows.flat())),
      layout: 'bhld' as const,
    };
  }
}

/** `[a, b, width]` → `[b, a, width]`. */
function turn(data: Float32Array, a: number, b: number, width: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) {
      out.set(data.subarray((i * b + j) * width, (i * b + j + 1) * width), (j * a + i) * width);
    }
  }
  return out;
}

/** Causal and bidirectional FAVOR+ of one head as running float64 sums with a running real scale for every feature. */
export function runningFavor(inputs: Inputs): { causal: Float64Array; bidirectional: Float64Array } {
  const { length, dHead, dValue, numFeatures } = inputs;
  const scale = dHead ** -0.25;
  const exponents = (x: Float32Array, i: number, out: Float64Array) => {
    let halfNorm = 0;
    for (let c = 0; c < dHead; c++) halfNorm += (x[i * dHead + c] * scale) ** 2 / 2;
    for (let r = 0; r < numFeatures; r++) {
      let sum = 0;
      for (let c = 0; c < dHead; c++) sum += inputs.projection[r * dHead + c] * x[i * dHead + c];
      out[r] = sum * scale - halfNorm;
    }
  };
  const width = dValue + 1;
  const sums = new Float64Array(numFeatures * width);
  const scales = new Float64Array(numFeatures).fill(Number.NEGATIVE_INFINITY);
  const logs = new Float64Array(numFeatures);
  const add = (j: number) => {
    exponents(inputs.k, j, logs);
    for (let r = 0; r < numFeatures; r++) {
      const raised = Math.max(scales[r], logs[r]);
      const decay = Math.exp(scales[r] - raised);
      const weight = Math.exp(logs[r] - raised);
      scales[r] = raised;
      for (let c = 0; c < dValue; c++) {
        sums[r * width + c] = sums[r * width + c] * decay + weight * inputs.v[j * dValue + c];
      }
      sums[r * width + dValue] = sums[r * width + dValue] * decay + weight;
    }
  };
  const read = (i: number, out: Float64Array) => {
    exponents(inputs.q, i, logs);
    let max = Number.NEGATIVE_INFINITY;
    for (let r = 0; r < numFeatures; r++) max = Math.max(max, logs[r] + scales[r]);
    const total = new Float64Array(width);
    for (let r = 0; r < numFeatures; r++) {
      const weight = Math.exp(logs[r] + scales[r] - max);
      for (let c = 0; c < width; c++) total[c] += weight * sums[r * width + c];
    }
    for (let c = 0; c < dValue; c++) out[i * dValue + c] = total[c] / total[dValue];
  };
  const causal = new Float64Array(length * dValue);
  const bidirectional = new Float64Array(length * dValue);
  for (let i = 0; i < length; i++) {
    add(i);
    read(i, causal);
  }
  for (let i = 0; i < length; i++) read(i, bidirectional);
  return { causal, bidirectional };
}
