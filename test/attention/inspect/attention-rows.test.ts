import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { drawFeatures, favorAttention } from '../../../src/attention/favor.ts';
import { attentionRows, topKeys } from '../../../src/attention/inspect/attention-rows.ts';
import type { AttendOptions } from '../../../src/attention/types.ts';
import { createReferenceBackend } from '../../../src/backend/reference/backend.ts';
import type { FloatArray } from '../../../src/backend/types.ts';
import { Random, streams } from '../../../src/base/random.ts';
import { featureSchema } from '../../../src/features/configuration.ts';
import * as features from '../../../src/features/draw-features.ts';
import { type Tensor, tensor } from '../../../src/tensor/tensor.ts';
import { backends } from '../backends.ts';
import { combinations } from '../combinations.ts';
import {
  featureKernel,
  type Inputs,
  type Kernel,
  packed,
  quadraticForm,
  randomInputs,
  softmaxKernel,
  uploadInputs,
  worstError,
} from '../quadratic-form.ts';

const sizes = { batch: 2, heads: 3, lengthQ: 11, lengthK: 13, dHead: 5, dValue: 7 };
const inputs = randomInputs(sizes, 31, 0.8);
const rows = [10, 0, 4, 7];

/** With the identity for values, attention gives its matrix. */
function withIdentity({ sizes: given, q, k }: Inputs): Inputs {
  const identity = Array.from({ length: given.lengthK }, (_, j) =>
    Array.from({ length: given.lengthK }, (_, c) => +(c === j)),
  );
  const v = q.map((heads) => heads.map(() => identity));
  return { sizes: { ...given, dValue: given.lengthK }, q, k, v };
}

function expectedRows(kernel: Kernel, given: Inputs, wanted: readonly number[], options: AttendOptions) {
  return quadraticForm(kernel, withIdentity(given), options).map((heads) =>
    heads.map((all) => wanted.map((row) => all[row])),
  );
}

const keyMask = [
  Array.from({ length: 13 }, (_, j) => +(j % 4 !== 1)),
  Array.from({ length: 13 }, (_, j) => +(j !== 12)),
];
const segments = [
  packed(
    [
      { gap: 1, length: 4 },
      { gap: 0, length: 6 },
    ],
    11,
  ),
  packed([{ gap: 0, length: 9 }], 11),
];
const keySegments = [
  packed(
    [
      { gap: 2, length: 3 },
      { gap: 1, length: 5 },
    ],
    13,
  ),
  packed([{ gap: 4, length: 9 }], 13),
];
const forms: AttendOptions[] = [
  { keyMask },
  { causal: true, layout: 'blhd' },
  { causal: true, offset: -3, normalised: false, keyMask },
  { causal: true, segments, keySegments, keyMask },
];

describe.each(backends)('attentionRows on $backend.name', ({ backend, rounding }) => {
  let given: Record<'queries' | 'keys' | 'values', Tensor>;
  afterEach(() => {
    for (const input of Object.values(given)) input.dispose();
  });

  it.each(combinations)('$name: rows of the quadratic form', async ({ featureMap, projection }) => {
    const options = { numFeatures: 38, featureMap, projection };
    const drawn = features.drawFeatures(featureSchema.parse(options), 5, new Random(0, streams.projections));
    const kernel = featureKernel(drawn, 5);
    for (const form of forms) {
      given = uploadInputs(backend, inputs, form.layout);
      const { shape, data } = await attentionRows(given.queries, given.keys, rows, { ...form, features: options });
      expect(shape).toEqual([2, 3, 4, 13]);
      const error = worstError(data, expectedRows(kernel, inputs, rows, form));
      // The series for erf in the quadratic form is good to 1e-10.
      expect(error, JSON.stringify(form)).toBeLessThan(Math.max(rounding, 1e-10));
    }
  });

  it.each(forms)('exact rows are those of softmax: %j', async (form) => {
    given = uploadInputs(backend, inputs, form.layout);
    const { data } = await attentionRows(given.queries, given.keys, rows, { ...form, exact: true });
    expect(worstError(data, expectedRows(softmaxKernel, inputs, rows, form))).toBeLessThan(1e-12);
  });

  it.each(combinations.filter(({ projection }) => projection === 'hadamard' || projection === 'none'))(
    '$name: rows times values are the output of favorAttention',
    async ({ featureMap, projection }) => {
      given = uploadInputs(backend, inputs);
      const { queries, keys, values } = given;
      const options = { features: { numFeatures: 38, featureMap, projection }, causal: true, keyMask };
      const out = favorAttention(queries, keys, values, options);
      const { data } = await attentionRows(queries, keys, rows, options);
      const actual = rowsTimes(data, await values.data(), rows.length, sizes);
      const expected = pick(await out.data(), rows, sizes);
      out.dispose();
      // Signed maps divide by small sums here and there: 100 roundings.
      expect(distance(actual, expected)).toBeLessThan(100 * rounding * norm(expected));
    },
  );
});

describe('attentionRows', () => {
  const backend = createReferenceBackend();

  it('keeps to any causal prefix over several blocks of keys, however large the inputs', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 250, max: 530 }),
        fc.integer({ min: -40, max: 530 }),
        fc.constantFrom(1, 30),
        fc.integer({ min: 0, max: 1000 }),
        fc.constantFrom('positive' as const, 'hyperbolic' as const),
        async (lengthK, offset, deviation, seed, featureMap) => {
          const long = randomInputs({ batch: 1, heads: 1, lengthQ: 2, lengthK, dHead: 3, dValue: 1 }, seed, deviation);
          const mask = [Array.from({ length: lengthK }, (_, j) => +((j + seed) % 5 !== 0))];
          const options = { causal: true, offset, keyMask: mask, features: { numFeatures: 6, featureMap, seed } };
          const { queries, keys, values } = uploadInputs(backend, withIdentity(long));
          const { data } = await attentionRows(queries, keys, [0, 1], options);
          // The reference keeps logarithms of all terms of a row until their maximum is known.
          const expected = await favorAttention(queries, keys, values, options).data();
          data.forEach((weight, i) => {
            expect(Math.abs(weight - expected[i]), `entry ${i}`).toBeLessThan(1e-12);
          });
        },
      ),
      { numRuns: 12, seed: 7 },
    );
  });

  it.each([
    { type: 'trigonometric' as const, stabiliser: 30 },
    { type: 'generalised' as const, activation: 'tanh' as const, stabiliser: 40 },
  ])('stabilises the sums that the attention stabilises: $type', async (featureMap) => {
    const long = randomInputs({ batch: 1, heads: 2, lengthQ: 17, lengthK: 300, dHead: 3, dValue: 1 }, 5, 1.2);
    const { queries, keys, values } = uploadInputs(backend, withIdentity(long));
    const all = Array.from({ length: 17 }, (_, i) => i);
    const rowsOf = async (stabiliser: number) => {
      const options = {
        features: { numFeatures: 6, projection: 'orthogonal' as const, featureMap: { ...featureMap, stabiliser } },
      };
      const { data } = await attentionRows(queries, keys, all, options);
      const expected = await favorAttention(queries, keys, values, options).data();
      data.forEach((weight, i) => {
        expect(Math.abs(weight - expected[i]), `entry ${i}`).toBeLessThan(1e-10 * Math.max(1, Math.abs(expected[i])));
      });
      return Float64Array.from({ length: 2 * 17 }, (_, row) => data[row * 300]);
    };
    const [plain, stabilised] = [await rowsOf(0), await rowsOf(featureMap.stabiliser)];
    const changed = plain.filter((weight, row) => weight !== stabilised[row]).length;
    expect(changed).toBeGreaterThan(1);
    expect(changed).toBeLessThan(34);
  });

  it('leaves no memory behind, also with features it drew', async () => {
    const { queries, keys } = uploadInputs(backend, inputs);
    const before = backend.bytesAllocated;
    await attentionRows(queries, keys, rows, { features: { numFeatures: 8 }, causal: true, keyMask });
    expect(backend.bytesAllocated).toBe(before);
  });

  it('uses features that are drawn already and leaves them alone', async () => {
    const { queries, keys } = uploadInputs(backend, inputs);
    const options = { numFeatures: 6, seed: 3 };
    const drawn = drawFeatures(backend, 5, options);
    const first = await attentionRows(queries, keys, rows, { features: drawn });
    expect((await attentionRows(queries, keys, rows, { features: drawn })).data).toEqual(first.data);
    expect((await attentionRows(queries, keys, rows, { features: options })).data).toEqual(first.data);
    expect((await attentionRows(queries, keys, rows, { features: { ...options, seed: 4 } })).data).not.toEqual(
      first.data,
    );
  });

  it('says which query there is not', async () => {
    const { queries, keys } = uploadInputs(backend, inputs);
    await expect(attentionRows(queries, keys, [3, 11], {})).rejects.toThrow(
      'there is no query 11; give an integer from 0 to below 11',
    );
    await expect(attentionRows(queries, keys, [0.5], {})).rejects.toThrow('there is no query 0.5');
  });
});

describe('topKeys', () => {
  const backend = createReferenceBackend();

  it('sorts one row of every head, masked and later keys left out', async () => {
    const { queries, keys } = uploadInputs(backend, inputs);
    const options = { causal: true, offset: 0, keyMask, features: { numFeatures: 6 } };
    for (const [query, n] of [
      [9, 4],
      [3, 13],
    ]) {
      const { data } = await attentionRows(queries, keys, [query], options);
      const found = await topKeys(queries, keys, query, n, options);
      expect(found.length).toBe(2);
      found.forEach((heads, b) => {
        expect(heads.length).toBe(3);
        heads.forEach((best, head) => {
          const row = data.subarray((b * 3 + head) * 13, (b * 3 + head + 1) * 13);
          const visible = Array.from({ length: query + 1 }, (_, j) => j).filter((j) => keyMask[b][j] === 1);
          const sorted = visible.sort((i, j) => row[j] - row[i]).slice(0, n);
          expect(best).toEqual(sorted.map((key) => ({ key, weight: row[key] })));
        });
      });
    }
  });

  it('finds the key that is the query, and equal keys by their positions', async () => {
    // Rows of exact attention with scores 0 but for key 3, whose score is ln 5.
    const queries = tensor(backend, Float64Array.of(1, 0, 0, 0), [1, 1, 1, 4]);
    const data = new Float64Array(6 * 4);
    data[3 * 4] = 2 * Math.log(5);
    const keys = tensor(backend, data, [1, 1, 6, 4]);
    const [[best]] = await topKeys(queries, keys, 0, 4, { exact: true });
    expect(best.map(({ key }) => key)).toEqual([3, 0, 1, 2]);
    best.forEach(({ weight }, i) => {
      expect(weight).toBeCloseTo(i === 0 ? 0.5 : 0.1, 12);
    });
  });
});

/** `rows·V` for every head. */
function rowsTimes(data: Float64Array, values: FloatArray, count: number, of: typeof sizes): Float64Array {
  const { batch, heads, lengthK, dValue } = of;
  return Float64Array.from({ length: batch * heads * count * dValue }, (_, at) => {
    const row = Math.floor(at / dValue);
    const unit = Math.floor(row / count);
    let sum = 0;
    for (let j = 0; j < lengthK; j++)
      sum += data[row * lengthK + j] * values[(unit * lengthK + j) * dValue + (at % dValue)];
    return sum;
  });
}

/** Rows of every head of an array `[batch, heads, lengthQ, dValue]`. */
function pick(
  out: FloatArray,
  wanted: readonly number[],
  { batch, heads, lengthQ, dValue }: typeof sizes,
): Float64Array {
  const units = Array.from({ length: batch * heads }, (_, unit) => unit * lengthQ);
  return Float64Array.from(
    units.flatMap((start) =>
      wanted.flatMap((row) => [...out.subarray((start + row) * dValue, (start + row + 1) * dValue)]),
    ),
  );
}

function norm(a: Float64Array): number {
  return Math.hypot(...a);
}

function distance(a: Float64Array, b: Float64Array): number {
  return norm(a.map((value, i) => value - b[i]));
}
