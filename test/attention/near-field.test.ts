import { describe, expect, it } from 'vitest';
import { createAttention } from '../../src/attention/attention.ts';
import { type AttentionOptions, attentionSchema } from '../../src/attention/configuration.ts';
import { savedStateToJson } from '../../src/attention/decoding/saved-state.ts';
import { exactAttention } from '../../src/attention/exact.ts';
import { drawFeatures, favorAttention } from '../../src/attention/favor.ts';
import { attentionRows } from '../../src/attention/inspect/attention-rows.ts';
import { NearFieldAttention } from '../../src/attention/near-field.ts';
import { attentionInputs } from '../../src/attention/packing.ts';
import type { AttendOptions, Attention, DecodingState } from '../../src/attention/types.ts';
import type { Backend } from '../../src/backend/types.ts';
import { Random, streams } from '../../src/base/random.ts';
import { featureSchema } from '../../src/features/configuration.ts';
import { drawFeatures as drawPlainFeatures } from '../../src/features/draw-features.ts';
import { nearFieldAttention } from '../../src/tensor/ops/attention/near-field.ts';
import { softmaxAttention } from '../../src/tensor/ops/attention/softmax-attention.ts';
import { multiply } from '../../src/tensor/ops/elementwise.ts';
import { scope } from '../../src/tensor/scope.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { expectGradients, randomTensor } from '../support/gradients.ts';
import { backends } from './backends.ts';
import {
  featureKernel,
  type Kernel,
  nearAndFar,
  nearByMassOfFar,
  packed,
  quadraticForm,
  randomInputs,
  softmaxKernel,
  uploadInputs,
  worstError,
} from './quadratic-form.ts';

const weighed = (x: Tensor) => multiply(x, randomTensor(x.backend, x.shape, 99));

function expectWithin(actual: ArrayLike<number>, expected: ArrayLike<number>, bound: number): void {
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
  }
  expect(actual.length).toBe(expected.length);
  expect(worst).toBeLessThanOrEqual(bound);
}

async function numbers(make: () => Tensor): Promise<number[]> {
  const out = scope(make);
  const data = Array.from(await out.data());
  out.dispose();
  return data;
}

const [heads, dHead, dValue] = [2, 5, 3];

function make(backend: Backend, options: AttentionOptions): Attention {
  const sizes = { numHeads: heads, dHead, maxLength: 128 };
  return createAttention(backend, attentionSchema.parse(options), sizes, new Random(7, streams.projections));
}

/** Queries, keys and values of one batch row unless told otherwise. */
function randomRows(backend: Backend, count: number, { batch = 1, layout = 'bhld', seed = 0 } = {}) {
  return [dHead, dHead, dValue].map((d, i) =>
    randomTensor(backend, layout === 'bhld' ? [batch, heads, count, d] : [batch, count, heads, d], seed + i),
  ) as [Tensor, Tensor, Tensor];
}

const maps = ['positive', 'hyperbolic', 'smreg', { type: 'favor++', p: 1.3 }] as const;
const projections = ['orthogonal', 'gaussian', 'hadamard', 'givens'] as const;

describe.each(backends)('a near field on $backend.name', ({ backend, rounding }) => {
  const length = 47;
  const row = packed(
    [
      { gap: 2, length: 23 },
      { gap: 1, length: 7 },
      { gap: 0, length: 9 },
    ],
    length,
  );
  const forms: Record<string, AttendOptions> = {
    causal: { causal: true },
    bidirectional: {},
    'causal, packed and masked': {
      ...{ causal: true, segments: [row] },
      keyMask: [Array.from({ length }, (_, j) => +(j % 5 !== 1))],
    },
    'bidirectional, packed': { segments: [row] },
    'causal, fewer queries': { causal: true, offset: 30 },
    'causal, before the keys': { causal: true, offset: -11 },
  };
  const cases = maps.flatMap((featureMap, i) =>
    Object.entries(forms).map(([form, options], j) => {
      const nearField = [
        { block: 4, sinks: 0 },
        { block: 3, sinks: 2 },
        { block: 1, sinks: 5 },
        { block: 8, sinks: 9 },
      ][(i + j) % 4];
      return { featureMap, form, options, nearField, projection: projections[(i + 2 * j) % 4], deviation: 1 + (j % 3) };
    }),
  );
  type Case = Pick<(typeof cases)[number], 'options' | 'featureMap' | 'projection' | 'deviation'>;
  const setUp = ({ options, featureMap, projection, deviation }: Case, seed: number) => {
    const sizes = { batch: 1, heads, lengthQ: options.offset === 30 ? 17 : length, lengthK: length, dHead, dValue };
    const features = { numFeatures: 22, featureMap, projection };
    const drawn = drawPlainFeatures(featureSchema.parse(features), dHead, new Random(0, streams.projections));
    return { inputs: randomInputs(sizes, seed, deviation), features, estimate: featureKernel(drawn, dHead) };
  };

  it.each(cases)(
    '$form, $featureMap over $projection, $nearField, inputs × $deviation: exact near, features far, one divisor',
    async ({ featureMap, options, nearField, projection, deviation }) => {
      const { inputs, features, estimate } = setUp({ options, featureMap, projection, deviation }, 31);
      const gains = [0.7, -1.1];
      const far: Kernel = (q, k, place) => {
        const { value, size } = estimate(q, k, place);
        return { value: value * Math.exp(gains[place.head]), size: size * Math.exp(gains[place.head]) };
      };
      const out = scope(() => {
        const { queries, keys, values } = uploadInputs(backend, inputs);
        const gain = tensor(backend, gains, [heads]);
        const { causal } = options;
        return nearFieldAttention(
          attentionInputs(queries, keys, values, options),
          drawFeatures(backend, dHead, features),
          {
            ...nearField,
            ...{ causal, gain },
          },
        );
      });
      const expected = quadraticForm(nearAndFar(softmaxKernel, far, nearField), inputs, options);
      expect(worstError(await out.data(), expected)).toBeLessThan(4 * rounding);
      out.dispose();
    },
  );

  it.each(cases)(
    '$form, $featureMap over $projection, $nearField, inputs × $deviation: near keys share what features estimate',
    async ({ featureMap, options, nearField, projection, deviation }) => {
      const { inputs, features, estimate } = setUp({ options, featureMap, projection, deviation }, 33);
      const out = scope(() => {
        const { queries, keys, values } = uploadInputs(backend, inputs);
        const { causal } = options;
        return nearFieldAttention(
          attentionInputs(queries, keys, values, options),
          drawFeatures(backend, dHead, features),
          { ...nearField, causal, mass: 'features' },
        );
      });
      const kernel = nearByMassOfFar(softmaxKernel, estimate, nearField, inputs, options);
      expect(worstError(await out.data(), quadraticForm(kernel, inputs, options))).toBeLessThan(4 * rounding);
      out.dispose();
    },
  );

  it.each([true, false].flatMap((causal) => (['kernel', 'features'] as const).map((mass) => ({ causal, mass }))))(
    'is exact attention, with its gradients, where nothing is far: $causal, $mass',
    async ({ causal, mass }) => {
      const attention = make(backend, { type: 'favor', numFeatures: 8, nearField: { block: 30, mass } });
      const inputs = randomRows(backend, 59, { batch: 2 });
      const results = (attend: Attention['attend']) =>
        scope(() => {
          const { value, gradients } = valueAndGradients(() => weighed(attend(...inputs, { causal })), inputs);
          return [value, ...gradients];
        });
      const own = results(attention.attend.bind(attention));
      const exact = results(exactAttention);
      for (const [i, tensor] of own.entries()) {
        const [actual, expected] = await Promise.all([tensor.data(), exact[i].data()]);
        expectWithin(actual, expected, 1e-6);
      }
    },
  );

  it('is an option of favorAttention', async () => {
    const [queries, keys, values] = randomRows(backend, length);
    const gain = tensor(backend, [0.5, -0.5], [heads]);
    const features = drawFeatures(backend, dHead, { numFeatures: 8 });
    for (const mass of ['kernel', 'features'] as const) {
      const nearField = { block: 4, sinks: 1, gain, mass };
      const own = await numbers(() => favorAttention(queries, keys, values, { causal: true, features, nearField }));
      const inputs = attentionInputs(queries, keys, values, { causal: true });
      const expected = await numbers(() => nearFieldAttention(inputs, features, { ...nearField, causal: true }));
      expect(own).toEqual(expected);
      expect(own).not.toEqual(await numbers(() => favorAttention(queries, keys, values, { causal: true, features })));
    }
    expect(() => favorAttention(queries, keys, values, { nearField: { block: 4, blok: 1 } as never })).toThrow(/block/);
  });

  it.each(cases.filter(({ options }) => options.offset === undefined || options.offset < 0))(
    'shows the rows of $form, $featureMap, $nearField',
    async ({ featureMap, options, nearField, projection }) => {
      const sizes = { batch: 1, heads, lengthQ: length, lengthK: length, dHead, dValue: length };
      const drawnInputs = randomInputs(sizes, 35);
      const identity = Array.from({ length }, (_, j) => Array.from({ length }, (_, c) => +(c === j)));
      const inputs = { ...drawnInputs, v: drawnInputs.q.map((all) => all.map(() => identity)) };
      const features = { numFeatures: 22, featureMap, projection };
      const { queries, keys, values } = uploadInputs(backend, inputs);
      const gain = tensor(backend, [0.5, -0.4], [heads]);
      for (const more of [{ gain }, { mass: 'features' }] as const) {
        const choice = { ...options, features, nearField: { ...nearField, ...more } };
        const out = await numbers(() => favorAttention(queries, keys, values, choice));
        const rows = Array.from({ length }, (_, i) => i);
        const { data } = await attentionRows(queries, keys, rows, choice);
        expectWithin(data, out, backend.name === 'reference' ? 1e-9 : 1e-5);
      }
    },
  );

  const masses = ['kernel', 'features'] as const;

  it.each(masses)('with mass %s, every packed sequence is to the bit what it is alone', async (mass) => {
    const attention = make(backend, { type: 'favor', numFeatures: 8, nearField: { block: 4, sinks: 1, mass } });
    const inputs = randomInputs({ batch: 1, heads, lengthQ: length, lengthK: length, dHead, dValue }, 5);
    const { queries, keys, values } = uploadInputs(backend, inputs, 'blhd');
    for (const causal of [true, false]) {
      const all = await numbers(() =>
        attention.attend(queries, keys, values, { causal, layout: 'blhd', segments: [row] }),
      );
      for (const [id, start, count] of [
        [0, 2, 23],
        [1, 26, 7],
        [2, 33, 9],
      ]) {
        expect(row[start]).toBe(id);
        const part = (rows: number[][][][]) => rows.map((b) => b.map((h) => h.slice(start, start + count)));
        const alone = uploadInputs(
          backend,
          {
            sizes: { ...inputs.sizes, lengthQ: count, lengthK: count },
            q: part(inputs.q),
            k: part(inputs.k),
            v: part(inputs.v),
          },
          'blhd',
        );
        const own = await numbers(() =>
          attention.attend(alone.queries, alone.keys, alone.values, { causal, layout: 'blhd' }),
        );
        expect(all.slice(start * heads * dValue, (start + count) * heads * dValue)).toEqual(own);
      }
    }
  });

  it.each(masses)('with mass %s, whatever comes later changes no earlier output by a bit', async (mass) => {
    const attention = make(backend, { type: 'favor', numFeatures: 8, nearField: { block: 4, sinks: 2, mass } });
    const inputs = randomRows(backend, length, { layout: 'blhd' });
    const whole = await numbers(() => attention.attend(...inputs, { causal: true, layout: 'blhd' }));
    for (const from of [1, 7, 8, 9, 23]) {
      const changed = await Promise.all(
        inputs.map(async (input) => {
          const data = Float64Array.from(await input.data());
          const width = input.shape[3] * heads;
          for (let at = from * width; at < data.length; at++) data[at] = at % 3 === 0 ? 1e30 : -7 * data[at];
          return tensor(backend, data, input.shape);
        }),
      );
      const out = await numbers(() =>
        attention.attend(changed[0], changed[1], changed[2], { causal: true, layout: 'blhd' }),
      );
      expect(out.slice(0, from * heads * dValue)).toEqual(whole.slice(0, from * heads * dValue));
    }
  });

  const nearFields = [
    { block: 8 },
    { block: 8, sinks: 3 },
    { block: 8, sinks: 11, mass: 'features' },
    { block: 8, far: 'none', sinks: 2 },
    { block: 1 },
    { block: 100 },
  ] as const;
  const pieces = [[1], [5, 1, 30, 17], [16, 8, 8, 3], [40, 1, 1, 1, 33], [7], [9]];

  it.each(nearFields.flatMap((nearField) => pieces.map((steps) => ({ nearField, steps }))))(
    'streams $nearField in pieces of $steps: the state is the whole’s to the bit',
    async ({ nearField, steps }) => {
      const attention = make(backend, { type: 'favor', numFeatures: 9, nearField });
      const total = 83;
      const data = [dHead, dHead, dValue].map((d, i) => {
        const random = new Random(i);
        return Float32Array.from({ length: 2 * total * heads * d }, () => random.normal());
      });
      const rows = (from: number, to: number) =>
        data.map((all, i) => {
          const width = heads * [dHead, dHead, dValue][i];
          const part = [0, 1].flatMap((b) => [...all.subarray((b * total + from) * width, (b * total + to) * width)]);
          return tensor(backend, part, [2, to - from, heads, width / heads]);
        }) as [Tensor, Tensor, Tensor];
      const extend = (state: DecodingState, from: number, to: number) =>
        numbers(() => attention.extend(...rows(from, to), state));
      const whole = await numbers(() => attention.attend(...rows(0, total), { causal: true, layout: 'blhd' }));
      const sizes = { batch: 2, heads, dHead, dValue };
      const [once, state] = [attention.createState(sizes), attention.createState(sizes)];
      await extend(once, 0, total);
      for (let at = 0, i = 0; at < total; i++) {
        const count = Math.min(total - at, steps[i % steps.length]);
        const out = await extend(state, at, at + count);
        const width = heads * dValue;
        for (let b = 0; b < 2; b++) {
          const expected = whole.slice((b * total + at) * width, (b * total + at + count) * width);
          expectWithin(out.slice(b * count * width, (b + 1) * count * width), expected, 2e-6);
        }
        at += count;
      }
      const saved = savedStateToJson(await state.save());
      expect(saved).toEqual(savedStateToJson(await once.save()));

      const restored = attention.restoreState(JSON.parse(JSON.stringify(saved)));
      const stacked = attention.stackStates([restored, state]);
      const second = stacked.slice(2, 4);
      expect(second.position).toBe(total);
      const next = await extend(state, 3, 5);
      const bound = backend.name === 'reference' ? 1e-6 : 0; // saved states are float32
      for (const same of [second, restored]) {
        expectWithin(await extend(same, 3, 5), next, bound);
      }
    },
  );

  it('keeps a state of constant size', async () => {
    const attention = make(backend, { type: 'favor', numFeatures: 9, nearField: { block: 8, sinks: 3 } });
    const state = attention.createState({ batch: 1, heads, dHead, dValue });
    const sizes: number[] = [];
    for (let at = 0; at < 12; at++) {
      const step = [dHead, dHead, dValue].map((d) => randomTensor(backend, [1, 16, heads, d], at));
      scope(() => attention.extend(step[0], step[1], step[2], state));
      sizes.push(JSON.stringify(savedStateToJson(await state.save())).length);
    }
    expect(Math.max(...sizes.slice(3)) - Math.min(...sizes.slice(3))).toBeLessThan(8);
  });

  it('attention auto goes over to it with the past it has', async () => {
    const nearField = { block: 4, sinks: 1 };
    const auto = make(backend, { type: 'auto', crossover: 20, numFeatures: 9, nearField });
    const near = make(backend, { type: 'favor', numFeatures: 9, nearField });
    const state = auto.createState({ batch: 1, heads, dHead, dValue });
    const inputs = randomRows(backend, length, { layout: 'blhd' });
    const rows = await Promise.all(
      inputs.map(async (input) => ({ data: Float64Array.from(await input.data()), d: input.shape[3] })),
    );
    const part = (from: number, to: number) =>
      rows.map(({ data, d }) =>
        tensor(backend, data.slice(from * heads * d, to * heads * d), [1, to - from, heads, d]),
      ) as [Tensor, Tensor, Tensor];
    for (let at = 0; at < 19; at++) await numbers(() => auto.extend(...part(at, at + 1), state));
    const expected = await numbers(() => near.attend(...inputs, { causal: true, layout: 'blhd' }));
    for (let at = 19; at < length; at++) {
      const out = await numbers(() => auto.extend(...part(at, at + 1), state));
      expectWithin(out, expected.slice(at * heads * dValue, (at + 1) * heads * dValue), 2e-6);
    }
    expect(auto.parameters?.().size).toBe(1);
  });
});

describe('gradients of a near field against central differences', () => {
  const [{ backend }] = backends;
  const [q, k, v] = [3, 3, 2].map((d, i) => randomTensor(backend, [1, 2, 23, d], i, 0.8));
  const forms: Record<string, AttendOptions> = {
    causal: { causal: true, keyMask: [[1, 1, 0, ...new Array(20).fill(1)]] },
    bidirectional: { segments: [[...new Array(19).fill(1), 2, 2, -1, -1]] },
  };
  const cases = Object.entries(forms).flatMap(([form, options]) =>
    maps.map((featureMap) => ({ form, options, featureMap })),
  );
  it.each(cases)('$form, $featureMap', async ({ options, featureMap }) => {
    const gain = tensor(backend, [0.3, -0.2], [2]);
    const features = drawFeatures(backend, 3, { numFeatures: 6, featureMap });
    const loss = () =>
      weighed(
        nearFieldAttention(attentionInputs(q, k, v, options), features, {
          ...{ causal: options.causal, block: 3, sinks: 1, gain },
        }),
      );
    await expectGradients(loss, { q, k, v, gain }, { step: 1e-4, bound: 1e-6, samples: 12 });
  });

  it.each(cases)('$form, $featureMap, with the mass of features', async ({ options, featureMap }) => {
    const features = drawFeatures(backend, 3, { numFeatures: 6, featureMap });
    const nearField = { causal: options.causal, block: 3, sinks: 7, mass: 'features' } as const;
    const loss = () => weighed(nearFieldAttention(attentionInputs(q, k, v, options), features, nearField));
    await expectGradients(loss, { q, k, v }, { step: 1e-4, bound: 1e-6, samples: 12 });
  });

  it('of a window alone', async () => {
    const loss = () =>
      weighed(softmaxAttention(attentionInputs(q, k, v, { causal: true }), { causal: true, block: 3, sinks: 1 }));
    await expectGradients(loss, { q, k, v }, { step: 1e-4, bound: 1e-6, samples: 12 });
  });
});

describe('what a near field refuses', () => {
  const [{ backend }] = backends;
  it.each([
    [{ type: 'favor', featureMap: 'trigonometric', nearField: { block: 4 } }, /positive, hyperbolic, smreg/],
    [{ type: 'favor', featureMap: 'relu', nearField: { block: 4 } }, /positive, hyperbolic, smreg/],
    [{ type: 'favor', normalised: false, nearField: { block: 4 } }, /divided by their sums/],
    [{ type: 'favor', nearField: { block: 0 } }, /block/],
    [{ type: 'favor', nearField: { block: 4, sink: 1 } }, /sink/],
  ])('%o', (options, message) => {
    expect(() => attentionSchema.parse(options)).toThrow(message);
  });

  it('queries and keys of other positions, and rows that are not divided', () => {
    const attention = make(backend, { type: 'favor', numFeatures: 8, nearField: { block: 4 } });
    expect(attention).toBeInstanceOf(NearFieldAttention);
    const [queries, keys, values] = [9, 11, 11].map((count, i) =>
      randomTensor(backend, [1, heads, count, i === 2 ? dValue : dHead], i),
    );
    expect(() => attention.attend(queries, keys, values)).toThrow(/same positions/);
    expect(() => attention.attend(keys, keys, values, { normalised: false })).toThrow(/divided by their sums/);
  });

  it('looking into exact rows with a near field, and into those of a map that has none', async () => {
    const [queries, keys] = [0, 1].map((i) => randomTensor(backend, [1, heads, 9, dHead], i));
    const nearField = { block: 4 };
    await expect(attentionRows(queries, keys, [0], { exact: true, nearField })).rejects.toThrow(/leave nearField out/);
    const features = { numFeatures: 8, featureMap: 'relu' } as const;
    await expect(attentionRows(queries, keys, [0], { features, nearField })).rejects.toThrow(/positive, hyperbolic/);
  });

  it('states of another near field, and of other places in a block', async () => {
    const nearField = { block: 4, sinks: 1 };
    const attention = make(backend, { type: 'favor', numFeatures: 8, nearField });
    const rows = (count: number) => randomRows(backend, count, { layout: 'blhd' });
    const stateOf = (own: Attention, count: number) => {
      const state = own.createState({ batch: 1, heads, dHead, dValue });
      scope(() => own.extend(...rows(count), state));
      return state;
    };
    const state = stateOf(attention, 14);
    const saved = await state.save();
    // Other sinks keep as many rows, and so do other blocks at some positions.
    for (const other of [{ sinks: 3 }, { block: 2, sinks: 1 }, { far: 'none' }] as const) {
      const different = make(backend, { type: 'favor', numFeatures: 8, nearField: { ...nearField, ...other } });
      expect(() => different.restoreState(saved)).toThrow(/another near field/);
      expect(() => different.extend(...rows(1), state)).toThrow(/another near field/);
      expect(() => attention.stackStates([state, stateOf(different, 14)])).toThrow(/another near field/);
    }
    const wider = make(backend, { type: 'favor', numFeatures: 9, nearField });
    expect(() => wider.extend(...rows(1), state)).toThrow(/8 features/);
    expect(await state.save()).toEqual(saved);
    expect(() => attention.restoreState({ ...saved, positions: [15] })).toThrow(/whole/);
    expect(
      make(backend, { type: 'favor', numFeatures: 8, nearField: { ...nearField, mass: 'features' } }).restoreState(
        saved,
      ).position,
    ).toBe(14);
    expect(() => attention.stackStates([state, stateOf(attention, 15)])).toThrow(/block of 4/);
    expect(attention.stackStates([state, stateOf(attention, 18)]).sizes.batch).toBe(2);
  });
});
