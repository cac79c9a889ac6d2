/**
 * Attention written out in float64 from its definition: the matrix K(q_i, k_j) with its mask, times V. Shares nothing with
 * the backends but the numbers of the features.
 */
import type { AttendOptions } from '../../src/attention/types.ts';
import type { Backend, FloatArray } from '../../src/backend/types.ts';
import { Random } from '../../src/base/random.ts';
import type { Features } from '../../src/features/features.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';

export interface Sizes {
  readonly batch: number;
  readonly heads: number;
  readonly lengthQ: number;
  readonly lengthK: number;
  readonly dHead: number;
  readonly dValue: number;
}

/** Rows as `q[batch][head][position]`. */
type Rows = number[][][][];

export interface Inputs {
  readonly sizes: Sizes;
  readonly q: Rows;
  readonly k: Rows;
  readonly v: Rows;
}

/** Normal numbers, rounded to float32 so that every backend gets the same. */
export function randomInputs(sizes: Sizes, seed: number, deviation = 1): Inputs {
  const random = new Random(seed);
  const rows = (length: number, width: number): Rows =>
    times(sizes.batch, () =>
      times(sizes.heads, () => times(length, () => times(width, () => Math.fround(deviation * random.normal())))),
    );
  const { lengthQ, lengthK, dHead, dValue } = sizes;
  return { sizes, q: rows(lengthQ, dHead), k: rows(lengthK, dHead), v: rows(lengthK, dValue) };
}

/** K(q, k), and the sum of the sizes of the terms it is made of: what rounding is relative to. */
export type Kernel = (
  q: readonly number[],
  k: readonly number[],
  place: Place,
) => { readonly value: number; readonly size: number };

/** Where a query and a key are in their sequence, counted from its first key, and the head. */
interface Place {
  readonly query: number;
  readonly key: number;
  readonly head: number;
}

/** `near` where a query's block of positions is the key's own or next to it, or the key is a sink; else `far`. */
export function nearAndFar(near: Kernel, far: Kernel, { block, sinks }: { block: number; sinks: number }): Kernel {
  return (q, k, place) => {
    const distance = Math.abs(Math.floor(place.query / block) - Math.floor(place.key / block));
    return (place.key < sinks || distance < 2 ? near : far)(q, k, place);
  };
}

/** exp(q·k/√dHead). */
export const softmaxKernel: Kernel = (q, k) => {
  const value = Math.exp(dot(q, k) / Math.sqrt(q.length));
  return { value, size: value };
};

/** weight·Σ_r φ_r(q) φ_r(k), as `kernels/description.mjs` has them. */
export function featureKernel(features: Features, dHead: number): Kernel {
  const phi = (x: readonly number[]): number[] => {
    const scaled = x.map((value) => value * dHead ** -0.25);
    const halfNorm = dot(scaled, scaled) / 2;
    return project(features, scaled).map((projected, r) => {
      const u = projected + (features.bias?.[r] ?? 0);
      if (features.map === 'exponential') return Math.exp(u - halfNorm);
      if (features.map === 'sine') return Math.sin(u) * Math.exp(halfNorm);
      return activationFunctions[features.map](u) + features.epsilon;
    });
  };
  const known = new Map<readonly number[], number[]>();
  const featuresOf = (x: readonly number[]) => {
    const found = known.get(x) ?? phi(x);
    known.set(x, found);
    return found;
  };
  return (q, k) => {
    const [left, right] = [featuresOf(q), featuresOf(k)];
    const terms = left.map((value, r) => features.weight * value * right[r]);
    return { value: sum(terms), size: sum(terms.map(Math.abs)) };
  };
}

/** f of the maps f(u) + ε. */
export const activationFunctions = {
  relu: (u: number) => Math.max(u, 0),
  exp: Math.exp,
  sigmoid: (u: number) => 1 / (1 + Math.exp(-u)),
  abs: Math.abs,
  gelu: (u: number) => (u * (1 + erf(u / Math.SQRT2))) / 2,
  cos: Math.cos,
  tanh: Math.tanh,
  identity: (u: number) => u,
  eluPlusOne: (u: number) => (u > 0 ? u + 1 : Math.exp(u)),
  square: (u: number) => u * u,
};

/** 2/√π·∫₀ˣ exp(−t²) dt = 2/√π·exp(−x²)·Σ_n 2ⁿ x^(2n+1)/(2n+1)!!, whose terms all have one sign. */
function erf(x: number): number {
  let term = x;
  let total = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(total); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}

/** W x from whichever form W is in. */
function project({ form, factors, directions, numFeatures, projection }: Features, x: readonly number[]): number[] {
  if (form === 'dense')
    return times(numFeatures, (r) => sum(x.map((value, c) => value * projection[r * x.length + c])));
  const block = form === 'hadamard' ? 2 ** Math.ceil(Math.log2(x.length)) : x.length;
  const blocks = Math.ceil(directions / block);
  const width = form === 'hadamard' ? block : 4;
  const all = times(blocks, (b) => {
    let y = times(block, (i) => x[i] ?? 0);
    for (let f = 0; f < factors; f++) {
      const factor = projection.subarray((b * factors + f) * width, (b * factors + f + 1) * width);
      if (form === 'hadamard') {
        const signed = y.map((value, i) => value * factor[i]);
        // Entry (i, j) of the Walsh–Hadamard matrix: −1 for every bit that i and j share.
        y = times(block, (i) => sum(signed.map((value, j) => (ones(i & j) % 2 === 0 ? value : -value))));
      } else {
        const [i, j, cos, sin] = factor;
        [y[i], y[j]] = [cos * y[i] - sin * y[j], sin * y[i] + cos * y[j]];
      }
    }
    return y;
  }).flat();
  const lengths = projection.subarray(blocks * factors * width);
  return times(numFeatures, (r) => lengths[r] * all[r % directions]);
}

function ones(bits: number): number {
  return bits.toString(2).replaceAll('0', '').length;
}

/** Does query i of batch row b see key j? Written from the meaning of the options. */
export function sees(sizes: Sizes, options: AttendOptions, b: number, i: number, j: number): boolean {
  const { segments, keySegments = segments, causal } = options;
  const mask = options.keyMask as readonly ArrayLike<number>[] | undefined;
  if (mask && mask[b][j] === 0) return false;
  if (segments && keySegments && (segments[b][i] < 0 || segments[b][i] !== keySegments[b][j])) return false;
  if (!causal) return true;
  const { query, key } = placeOf(sizes, options, b, i, j);
  return key <= query;
}

/** Places of query i and key j of batch row b in their sequence. */
function placeOf(sizes: Sizes, options: AttendOptions, b: number, i: number, j: number): Omit<Place, 'head'> {
  const { segments, keySegments = segments, offset } = options;
  const [query, queryLength] = segments ? placeIn(segments[b], i) : [i, sizes.lengthQ];
  const [key, keyLength] = keySegments ? placeIn(keySegments[b], j) : [j, sizes.lengthK];
  return { query: query + (offset ?? keyLength - queryLength), key };
}

/**
 * As {@link nearAndFar}, but `far` also estimates the near keys' sum. The near kernel only says how near keys share that sum.
 */
export function nearByMassOfFar(
  near: Kernel,
  far: Kernel,
  nearField: { block: number; sinks: number },
  { sizes, q, k }: Inputs,
  options: AttendOptions,
): Kernel {
  const none: Kernel = () => ({ value: 0, size: 0 });
  const factors = new Map<readonly number[], number>();
  times(sizes.batch, (b) =>
    times(sizes.heads, (h) =>
      times(sizes.lengthQ, (i) => {
        const total = (kernel: Kernel) =>
          sum(
            times(sizes.lengthK, (j) => j)
              .filter((j) => sees(sizes, options, b, i, j))
              .map((j) => {
                const place = { ...placeOf(sizes, options, b, i, j), head: h };
                return nearAndFar(kernel, none, nearField)(q[b][h][i], k[b][h][j], place).value;
              }),
          );
        factors.set(q[b][h][i], total(far) / total(near));
      }),
    ),
  );
  const scaled: Kernel = (query, key, place) => {
    const { value, size } = near(query, key, place);
    const factor = factors.get(query) ?? 1;
    return { value: value * factor, size: size * factor };
  };
  return nearAndFar(scaled, far, nearField);
}

/** Place of position `at` in its segment, and the segment's length. */
function placeIn(ids: ArrayLike<number>, at: number): [place: number, length: number] {
  const members = Array.from(ids, (id, i) => ({ id, i })).filter(({ id }) => id === ids[at]);
  return [members.findIndex(({ i }) => i === at), members.length];
}

export interface Expected {
  readonly value: number;
  /** Size of the error that one rounding may make. */
  readonly conditioning: number;
}

/** `Σ_j K(q_i, k_j) v_j`, divided by `Σ_j K(q_i, k_j)` unless not normalised; `[batch][head][query][column]`. */
export function quadraticForm(kernel: Kernel, { sizes, q, k, v }: Inputs, options: AttendOptions): Expected[][][][] {
  const { batch, heads, lengthQ, lengthK, dValue } = sizes;
  return times(batch, (b) =>
    times(heads, (h) =>
      times(lengthQ, (i) => {
        const keys = times(lengthK, (j) => j).filter((j) => sees(sizes, options, b, i, j));
        const row = keys.map((j) => {
          const place = { ...placeOf(sizes, options, b, i, j), head: h };
          return { ...kernel(q[b][h][i], k[b][h][j], place), v: v[b][h][j] };
        });
        const divisor = (options.normalised ?? true) ? sum(row.map(({ value }) => value)) : 1;
        return times(dValue, (column) => {
          if (row.length === 0) return { value: 0, conditioning: 0 };
          const value = sum(row.map((term) => term.value * term.v[column])) / divisor;
          const largest = Math.max(Math.abs(value), ...row.map((term) => Math.abs(term.v[column])));
          return { value, conditioning: (sum(row.map(({ size }) => size)) * largest) / Math.abs(divisor) };
        });
      }),
    ),
  );
}

/** `[batch, heads, length, d]`, or `[batch, length, heads, d]` with layout blhd. */
export function upload(backend: Backend, rows: Rows, sizes: Sizes, length: number, d: number, layout = 'bhld'): Tensor {
  const { batch, heads } = sizes;
  const isFirst = layout === 'bhld';
  const flat = isFirst
    ? rows.flat(3)
    : times(batch, (b) => times(length, (i) => times(heads, (h) => rows[b][h][i]))).flat(3);
  const shape = isFirst ? [batch, heads, length, d] : [batch, length, heads, d];
  return tensor(backend, Float64Array.from(flat), shape);
}

export function uploadInputs(backend: Backend, inputs: Inputs, layout: 'bhld' | 'blhd' = 'bhld') {
  const { sizes, q, k, v } = inputs;
  const { lengthQ, lengthK, dHead, dValue } = sizes;
  return {
    queries: upload(backend, q, sizes, lengthQ, dHead, layout),
    keys: upload(backend, k, sizes, lengthK, dHead, layout),
    values: upload(backend, v, sizes, lengthK, dValue, layout),
  };
}

/** Largest of |actual − expected| relative to what one rounding may do; Infinity where a row of zeros is not zero. */
export function worstError(actual: FloatArray, expected: Expected[][][][], layout = 'bhld'): number {
  let worst = 0;
  expected.forEach((heads, b) => {
    heads.forEach((rows, h) => {
      rows.forEach((row, i) => {
        row.forEach(({ value, conditioning }, column) => {
          const place =
            layout === 'bhld' ? (b * heads.length + h) * rows.length + i : (b * rows.length + i) * heads.length + h;
          const difference = Math.abs(actual[place * row.length + column] - value);
          const error = difference === 0 ? 0 : difference / conditioning;
          worst = Math.max(worst, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
        });
      });
    });
  });
  return worst;
}

/** Ids of one packed row: pieces of the given lengths, each after a gap of padding. */
export function packed(pieces: readonly { gap: number; length: number }[], total: number): Int32Array {
  const ids = pieces.flatMap(({ gap, length }, id) => [...times(gap, () => -1), ...times(length, () => id)]);
  return Int32Array.from([...ids, ...times(Math.max(0, total - ids.length), () => -1)].slice(0, total));
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

function sum(terms: readonly number[]): number {
  return terms.reduce((a, b) => a + b, 0);
}

function dot(a: readonly number[], b: readonly number[]): number {
  return sum(a.map((value, i) => value * b[i]));
}
