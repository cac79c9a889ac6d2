/** LSH attention against the paper's equations, round by round, in plain float64 loops of this file's own. */
import { describe, expect, it } from 'vitest';
import { createAttention } from '../../src/attention/attention.ts';
import { attentionSchema } from '../../src/attention/configuration.ts';
import { savedStateToJson } from '../../src/attention/decoding/saved-state.ts';
import { LshAttention, lshAttention } from '../../src/attention/lsh.ts';
import type { AttendOptions } from '../../src/attention/types.ts';
import type { Backend, FloatArray } from '../../src/backend/types.ts';
import { Random } from '../../src/base/random.ts';
import { multiply } from '../../src/tensor/ops/elementwise.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { expectGradients, randomTensor } from '../support/gradients.ts';
import { backends } from './backends.ts';

const [{ backend: reference }] = backends;
const sizes = { batch: 2, heads: 3, length: 41, dHead: 5, dValue: 7 };
const hashing = { numHashes: 3, chunkLength: 4, numBuckets: 6 };

function given(backend: Backend, { layout = 'bhld' }: AttendOptions, { batch, heads, length, dHead, dValue } = sizes) {
  const shape = (d: number) => (layout === 'bhld' ? [batch, heads, length, d] : [batch, length, heads, d]);
  return { queries: randomTensor(backend, shape(dHead), 1), values: randomTensor(backend, shape(dValue), 2) };
}

const rotationsOn = (backend: Backend, { numHashes, numBuckets } = hashing, { dHead } = sizes) =>
  randomTensor(backend, [numHashes, numBuckets / 2, dHead], 3);

const attend = (
  { queries, values }: ReturnType<typeof given>,
  options: AttendOptions,
  { chunkLength, numBuckets } = hashing,
) => lshAttention(queries, values, { ...options, rotations: rotationsOn(queries.backend), chunkLength, numBuckets });

type Rows = readonly (readonly number[])[];
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0);

/**
 * One sequence of valid positions by the paper's equations. For each round r the set P_i^r has what i sees, and N_ij is
 * the number of rounds that hold j. Then o_i = Σ_r exp(z_i^r − z_i) Σ_{j ∈ P_i^r} exp(q_i·k_j − log N_ij − z_i^r) v_j.
 */
function paper(queries: Rows, values: Rows, rotations: readonly Rows[], causal: boolean): number[][] {
  const { chunkLength, numBuckets } = hashing;
  const n = queries.length;
  const used = causal ? numBuckets : Math.min(numBuckets, 2 * Math.ceil(n / (2 * chunkLength)));
  const keys = queries.map((q) => q.map((x) => x / Math.sqrt(dot(q, q) + 1e-6 * q.length)));
  const seen = rotations.map((matrix) => {
    const buckets = queries.map((q) => {
      const turned = matrix.slice(0, used / 2).map((row) => dot(row, q));
      const both = [...turned, ...turned.map((x) => -x)];
      return both.indexOf(Math.max(...both));
    });
    // Pieces of the sorted positions; what a piece may see is itself and the one that it follows.
    const order = buckets.map((_, i) => i).sort((i, j) => buckets[i] - buckets[j] || i - j);
    const groups = causal ? [...new Set(buckets)].map((b) => order.filter((i) => buckets[i] === b)) : [order];
    const sets = new Map<number, number[]>();
    for (const group of groups) {
      for (let start = 0; start < group.length; start += chunkLength) {
        const visible = group.slice(Math.max(0, start - chunkLength), start + chunkLength);
        for (const i of group.slice(start, start + chunkLength)) {
          sets.set(
            i,
            visible.filter((j) => (causal ? j < i : j !== i)),
          );
        }
      }
    }
    return sets;
  });
  return queries.map((q, i) => {
    const rounds = seen.map((sets) => sets.get(i) ?? []);
    const count = (j: number) => rounds.filter((set) => set.includes(j)).length;
    const score = (j: number) => dot(q, keys[j]) - Math.log(count(j));
    const logSums = rounds.map((set) => Math.log(set.reduce((sum, j) => sum + Math.exp(score(j)), 0)));
    const total = Math.log(logSums.reduce((sum, z) => sum + Math.exp(z), 0));
    if (total === Number.NEGATIVE_INFINITY) return [...values[i]];
    return values[i].map((_, c) =>
      rounds.reduce((sum, set, r) => {
        const found = set.reduce((part, j) => part + Math.exp(score(j) - logSums[r]) * values[j][c], 0);
        return set.length === 0 ? sum : sum + Math.exp(logSums[r] - total) * found;
      }, 0),
    );
  });
}

/** The paper's equations for every sequence of a batch; zeros where a position is masked or in no segment. */
async function expected(
  inputs: ReturnType<typeof given>,
  { layout = 'bhld', causal = false, ...options }: AttendOptions,
) {
  const { batch, heads, length, dHead, dValue } = sizes;
  const [q, v] = await Promise.all([inputs.queries.data(), inputs.values.data()]);
  const flat = await rotationsOn(reference).data();
  const row = (data: FloatArray, d: number, b: number, h: number, i: number) => {
    const at = layout === 'bhld' ? (b * heads + h) * length + i : (b * length + i) * heads + h;
    return Array.from(data.subarray(at * d, (at + 1) * d));
  };
  const half = hashing.numBuckets / 2;
  const rotations = Array.from({ length: hashing.numHashes }, (_, r) =>
    Array.from({ length: half }, (_, s) =>
      Array.from(flat.subarray((r * half + s) * dHead, (r * half + s + 1) * dHead)),
    ),
  );
  const out = new Float64Array(batch * heads * length * dValue);
  for (let b = 0; b < batch; b++) {
    const ids = options.segments ? Array.from(options.segments[b]) : new Array<number>(length).fill(0);
    const mask = options.keyMask as number[][] | undefined;
    for (const id of new Set(ids.filter((x) => x >= 0))) {
      const positions = ids.flatMap((x, i) => (x === id && mask?.[b][i] !== 0 ? [i] : []));
      for (let h = 0; h < heads; h++) {
        const rowsOf = (data: FloatArray, d: number) => positions.map((i) => row(data, d, b, h, i));
        paper(rowsOf(q, dHead), rowsOf(v, dValue), rotations, causal).forEach((numbers, at) => {
          const i = positions[at];
          const place = layout === 'bhld' ? (b * heads + h) * length + i : (b * length + i) * heads + h;
          out.set(numbers, place * dValue);
        });
      }
    }
  }
  return out;
}

const mask = [1, 2].map((row) => Array.from({ length: sizes.length }, (_, i) => +((i + row) % 5 !== 0)));
const segments = [
  Array.from({ length: sizes.length }, (_, i) => (i < 3 ? -1 : i < 20 ? 4 : i === 20 ? 5 : 6)),
  Array.from({ length: sizes.length }, (_, i) => (i < 30 ? 0 : -1)),
];
const forms: Record<string, AttendOptions> = {
  plain: {},
  masked: { keyMask: mask },
  packed: { segments },
  'packed and masked, blhd': { segments, keyMask: mask, layout: 'blhd' },
};

describe.each([false, true])('causal %s', (causal) => {
  describe.each(Object.entries(forms))('%s', (_, form) => {
    const options = { ...form, causal };

    for (const { backend, rounding } of backends) {
      it(`${backend.name}: is the paper’s equations`, async () => {
        const inputs = given(backend, options);
        const [actual, wanted] = [await attend(inputs, options).data(), await expected(inputs, options)];
        expect(actual).toHaveLength(wanted.length);
        wanted.forEach((x, i) => void expect(Math.abs(actual[i] - x), `${i}`).toBeLessThan(10 * rounding));
      });
    }

    it('gradients of queries, in both their roles, and of values against central differences', async () => {
      const inputs = given(reference, options);
      const weight = randomTensor(reference, inputs.values.shape, 99);
      // Steps so small that no position changes its bucket.
      const loss = () => multiply(attend(inputs, options), weight);
      await expectGradients(loss, { ...inputs }, { step: 1e-5, bound: 1e-6, samples: 5 });
    });
  });
});

it('a query gains a gradient where it is looked for, and where it looks', async () => {
  const inputs = given(reference, {});
  const { batch, heads, length, dHead, dValue } = sizes;
  const weight = new Float64Array(batch * heads * length * dValue);
  weight.fill(1.5, 6 * dValue, 7 * dValue);
  weight[6 * dValue] = -2;
  const loss = () => multiply(attend(inputs, {}), tensor(reference, weight, inputs.values.shape));
  const { gradients } = valueAndGradients(loss, [inputs.queries]);
  const data = await gradients[0].data();
  const sizeAt = (i: number) => Math.max(...Array.from(data.subarray(i * dHead, (i + 1) * dHead), Math.abs));
  expect(sizeAt(6)).toBeGreaterThan(1e-3);
  const others = Array.from({ length }, (_, i) => i).filter((i) => i !== 6 && sizeAt(i) > 1e-4);
  expect(others.length).toBeGreaterThan(3);
});

const rowsBefore = async (x: Tensor, end: number) => {
  const data = await x.data();
  const [, , length, d] = x.shape;
  return Array.from(data).filter((_, at) => Math.floor(at / d) % length < end);
};

for (const { backend } of backends) {
  describe(`${backend.name}, causal`, () => {
    it('later tokens change nothing earlier, by a single bit, nor gain a gradient from it', async () => {
      const inputs = given(backend, {});
      const before = await rowsBefore(attend(inputs, { causal: true }), 23);
      const [queries, values] = await Promise.all(
        [inputs.queries, inputs.values].map(async (x, i) => {
          const data = await x.data();
          const other = await randomTensor(backend, x.shape, 50 + i).data();
          const [, , length, d] = x.shape;
          return tensor(
            backend,
            data.map((y, at) => (Math.floor(at / d) % length < 23 ? y : 3 * other[at])),
            x.shape,
          );
        }),
      );
      const changed = { queries, values };
      expect(await rowsBefore(attend(changed, { causal: true }), 23)).toEqual(before);
      expect(await await attend(changed, { causal: true }).data()).not.toEqual(
        await attend(inputs, { causal: true }).data(),
      );
      const [, , length, d] = values.shape;
      const weight = Float32Array.from({ length: values.size }, (_, at) =>
        Math.floor(at / d) % length < 23 ? 1 + (at % 3) : 0,
      );
      const loss = () => multiply(attend(inputs, { causal: true }), tensor(backend, weight, values.shape));
      const { gradients } = valueAndGradients(loss, [inputs.queries, inputs.values]);
      for (const gradient of gradients) {
        const [all, early] = [Array.from(await gradient.data()), await rowsBefore(gradient, 23)];
        expect(all.filter((x) => x !== 0).length).toBe(early.filter((x) => x !== 0).length);
        expect(early.filter((x) => x !== 0).length).toBeGreaterThan(early.length / 2);
      }
    });

    it('decodes: any pieces of a sequence give what the whole gives, bit for bit', async () => {
      const attention = made(backend);
      // Saved states hold float32.
      const rounded = async (x: Tensor) => tensor(backend, Float32Array.from(await x.data()), x.shape);
      const drawn = given(backend, { layout: 'blhd' }, { ...sizes, batch: 1 });
      const [queries, values] = await Promise.all([drawn.queries, drawn.values].map(rounded));
      const whole = await attention.attend(queries, queries, values, { causal: true, layout: 'blhd' }).data();
      const { heads, dHead, dValue } = sizes;
      const [q, v] = await Promise.all([queries.data(), values.data()]);
      let state = attention.createState({ batch: 1, heads, dHead, dValue });
      let at = 0;
      for (const length of [17, 1, 1, 3, 1, 14, 4]) {
        const piece = (data: FloatArray, d: number) =>
          tensor(backend, data.slice(at * heads * d, (at + length) * heads * d), [1, length, heads, d]);
        const rows = piece(q, dHead);
        const out = await attention.extend(rows, rows, piece(v, dValue), state).data();
        expect(out, `${length} at ${at}`).toEqual(whole.slice(at * heads * dValue, (at + length) * heads * dValue));
        at += length;
        if (at === 18) state = attention.restoreState(savedStateToJson(await state.save()));
        if (at === 19) state = attention.stackStates([state, state]).slice(1, 2);
      }
      expect([at, state.position]).toEqual([41, 41]);
    });
  });

  it(`${backend.name}: a padded sequence gives what it gives alone, bit for bit`, async () => {
    for (const causal of [false, true]) {
      const padded = given(backend, {}, { ...sizes, batch: 1, heads: 1 });
      const alone = await Promise.all(
        [padded.queries, padded.values].map(async (x) =>
          tensor(backend, (await x.data()).slice(0, 29 * x.shape[3]), [1, 1, 29, x.shape[3]]),
        ),
      );
      const keyMask = [Array.from({ length: 41 }, (_, i) => +(i < 29))];
      const out = attend({ queries: alone[0], values: alone[1] }, { causal });
      expect(await rowsBefore(attend(padded, { causal, keyMask }), 29)).toEqual(Array.from(await out.data()));
    }
  });
}

function made(backend: Backend, seed = 4, maxLength = 41): LshAttention {
  const configuration = attentionSchema.parse({ type: 'lsh', numHashes: 3, chunkLength: 4, maxBuckets: 8 });
  const attention = createAttention(backend, configuration, { numHeads: 3, dHead: 5, maxLength }, new Random(seed));
  if (attention instanceof LshAttention) return attention;
  throw new Error('not LSH attention');
}

it('a position that sees nothing else sees itself', async () => {
  const one = given(reference, {}, { ...sizes, length: 1 });
  expect(await attend(one, {}).data()).toEqual(await one.values.data());
  const inputs = given(reference, {});
  expect(await rowsBefore(attend(inputs, { causal: true }), 1)).toEqual(await rowsBefore(inputs.values, 1));
});

it('the rotations of a layer are buffers drawn from the seed alone', async () => {
  const attention = made(reference);
  expect([...attention.buffers()].map(([name, { shape }]) => [name, shape])).toEqual([['rotations', [3, 4, 5]]]);
  const before = await attention.rotations.data();
  attention.redraw(new Random(9));
  expect(await attention.rotations.data()).not.toEqual(before);
  attention.redraw(new Random(4));
  expect(await attention.rotations.data()).toEqual(before);
});

it('causal buckets are those of the longest sequence, so that appended tokens rehash nothing', async () => {
  const [short, long] = [made(reference, 4, 8), made(reference, 4, 41)];
  const { queries, values } = given(reference, {});
  const outputs = await Promise.all(
    [short, long].map((attention) => attention.attend(queries, queries, values, { causal: true }).data()),
  );
  expect(outputs[0]).not.toEqual(outputs[1]);
  expect(await made(reference, 4, 30).attend(queries, queries, values, { causal: true }).data()).toEqual(outputs[1]);
});

it('refuses what it cannot be, in one sentence', () => {
  const { queries, values } = given(reference, {});
  const other = randomTensor(reference, queries.shape, 9);
  expect(() => made(reference).attend(queries, other, values)).toThrow(
    /^LSH attention takes its queries as keys: pass the same/,
  );
  expect(() => attend({ queries, values }, { normalised: false })).toThrow(/must be normalised/);
  expect(() => attend({ queries, values }, { causal: true, offset: 2 })).toThrow(/leave keySegments and offset out/);
  expect(() => attend({ queries, values }, {}, { ...hashing, numBuckets: 5 })).toThrow(
    /3 rotations make an even number of buckets up to 6, not 5/,
  );
  expect(() => attentionSchema.parse({ type: 'lsh', maxBuckets: 7 })).toThrow(/multiple of 2/);
});
