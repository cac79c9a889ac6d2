import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAttention } from '../../../src/attention/attention.ts';
import { type AttentionOptions, attentionSchema } from '../../../src/attention/configuration.ts';
import { FavorState } from '../../../src/attention/decoding/favor-state.ts';
import { parseSavedState, savedStateToJson } from '../../../src/attention/decoding/saved-state.ts';
import type { Attention, DecodingState } from '../../../src/attention/types.ts';
import { createReferenceBackend } from '../../../src/backend/reference/backend.ts';
import type { Backend } from '../../../src/backend/types.ts';
import { Random } from '../../../src/base/random.ts';
import { scope } from '../../../src/tensor/scope.ts';
import { type Tensor, tensor } from '../../../src/tensor/tensor.ts';
import { backends } from '../backends.ts';

const [heads, dHead, dValue] = [3, 4, 5];
const widths = { queries: dHead, keys: dHead, values: dValue };

const kinds: AttentionOptions[] = [
  { type: 'exact' },
  ...(['positive', 'hyperbolic', 'smreg', 'trigonometric', 'relu', 'gelu', { type: 'favor++', p: 1.2 }] as const).map(
    (featureMap): AttentionOptions => ({ type: 'favor', numFeatures: 14, featureMap }),
  ),
  { type: 'favor', numFeatures: 14, featureMap: 'relu', projection: 'hadamard' },
  { type: 'favor', numFeatures: 14, featureMap: 'abs', normalised: false },
  { type: 'favor', numFeatures: 14, featureMap: 'trigonometric', projection: 'givens' },
  { type: 'favor', numFeatures: 14, nearField: { block: 5, sinks: 2 } },
  { type: 'favor', numFeatures: 14, nearField: { block: 3, far: 'none' } },
];

type Sequence = Record<keyof typeof widths, Float32Array>;

/** Rows `[length, heads, d]` of one sequence. */
function randomSequence(length: number, seed: number): Sequence {
  const random = new Random(seed);
  const rows = (width: number) => Float32Array.from({ length: length * heads * width }, () => 0.8 * random.normal());
  return { queries: rows(dHead), keys: rows(dHead), values: rows(dValue) };
}

/** Positions `from … to − 1` of sequences as tensors `[batch, length, heads, d]`. */
function piece(backend: Backend, sequences: readonly Sequence[], from: number, to: number): [Tensor, Tensor, Tensor] {
  const part = (name: keyof typeof widths) => {
    const row = heads * widths[name];
    const data = sequences.flatMap((sequence) => Array.from(sequence[name].subarray(from * row, to * row)));
    return tensor(backend, Float32Array.from(data), [sequences.length, to - from, heads, widths[name]]);
  };
  return [part('queries'), part('keys'), part('values')];
}

async function numbers(make: () => Tensor): Promise<number[]> {
  const out = scope(make);
  const data = Array.from(await out.data());
  out.dispose();
  return data;
}

const extend = (attention: Attention, state: DecodingState, sequences: readonly Sequence[], from: number, to: number) =>
  numbers(() => attention.extend(...piece(attention.backend, sequences, from, to), state));

/** Outputs `[length, heads, dValue]` of a whole causal sequence. */
const whole = (attention: Attention, sequence: Sequence, length: number) =>
  numbers(() => attention.attend(...piece(attention.backend, [sequence], 0, length), { causal: true, layout: 'blhd' }));

function expectClose(actual: readonly number[], expected: readonly number[], bound: number): void {
  expect(actual.length).toBe(expected.length);
  const size = Math.max(1, ...expected.map(Math.abs));
  actual.forEach((value, i) => {
    expect(Math.abs(value - expected[i]) / size, `element ${i}`).toBeLessThan(bound);
  });
}

const sizes = (batch: number) => ({ batch, heads, dHead, dValue });
const rowsOf = (data: readonly number[], from: number, to: number) =>
  data.slice(from * heads * dValue, to * heads * dValue);

for (const { backend, rounding } of backends) {
  for (const kind of kinds) {
    const attention = createAttention(
      backend,
      attentionSchema.parse(kind),
      { numHeads: heads, dHead, maxLength: 64 },
      new Random(3),
    );
    // Saved states are float32, also those of the float64 reference.
    const [bound, savedBound] = [10 * rounding, Math.max(1e-6, 10 * rounding)];

    describe(`decoding states on ${backend.name} of ${JSON.stringify(kind)}`, () => {
      it('extend in pieces of any sizes gives one causal pass', async () => {
        const pieces = fc.array(fc.constantFrom(1, 1, 2, 3, 5, 17, 70), { minLength: 1, maxLength: 6 });
        await fc.assert(
          fc.asyncProperty(pieces, fc.nat(1000), async (lengths, seed) => {
            const length = lengths.reduce((a, b) => a + b, 0);
            const sequence = randomSequence(length, seed);
            const state = attention.createState(sizes(1));
            const outputs: number[] = [];
            for (const step of lengths) {
              outputs.push(...(await extend(attention, state, [sequence], state.position, state.position + step)));
            }
            expect(state.position).toBe(length);
            state.dispose();
            expectClose(outputs, await whole(attention, sequence, length), bound);
          }),
          { numRuns: 12, seed: 5 },
        );
      });

      it('stacked, sliced and cloned states continue as each sequence alone', async () => {
        const sequences = [1, 2, 3].map((seed) => randomSequence(23, seed));
        const expected = await Promise.all(sequences.map((sequence) => whole(attention, sequence, 23)));
        const states = sequences.map(() => attention.createState(sizes(1)));
        for (const [i, state] of states.entries()) await extend(attention, state, [sequences[i]], 0, 11);
        const pair = attention.stackStates([states[2], states[0]]);
        const all = attention.stackStates([pair, states[1]]);
        expect([all.sizes.batch, all.position]).toEqual([3, 11]);
        const order = [2, 0, 1];
        const together = await extend(
          attention,
          all,
          order.map((i) => sequences[i]),
          11,
          17,
        );
        order.forEach((i, row) => {
          expectClose(rowsOf(together, 6 * row, 6 * row + 6), rowsOf(expected[i], 11, 17), bound);
        });
        // The states that were stacked have not moved on.
        expectClose(await extend(attention, states[0], [sequences[0]], 11, 12), rowsOf(expected[0], 11, 12), bound);
        const part = all.slice(1, 3);
        const copy = part.clone();
        const later = await extend(attention, part, [sequences[0], sequences[1]], 17, 23);
        expectClose(rowsOf(later, 0, 6), rowsOf(expected[0], 17, 23), bound);
        expectClose(rowsOf(later, 6, 12), rowsOf(expected[1], 17, 23), bound);
        expect([part.position, copy.position, all.position]).toEqual([23, 17, 17]);
        expectClose(
          await extend(attention, copy, [sequences[0], sequences[1]], 17, 18),
          [...rowsOf(later, 0, 1), ...rowsOf(later, 6, 7)],
          bound,
        );
        for (const state of [...states, pair, all, part, copy]) state.dispose();
      });

      it('a saved state, also by way of JSON, continues as the one that was never saved', async () => {
        const sequences = [4, 5].map((seed) => randomSequence(90, seed));
        const state = attention.createState(sizes(2));
        await extend(attention, state, sequences, 0, 71);
        const saved = await state.save();
        const json = JSON.stringify(savedStateToJson(saved));
        expect(parseSavedState(JSON.parse(json))).toEqual(saved);
        const resumed = attention.restoreState(JSON.parse(json));
        expect(resumed.position).toBe(71);
        for (const [from, to] of [
          [71, 72],
          [72, 90],
        ]) {
          const expected = await extend(attention, state, sequences, from, to);
          expectClose(await extend(attention, resumed, sequences, from, to), expected, savedBound);
        }
        state.dispose();
        resumed.dispose();
      });

      it('states leave no memory behind', async () => {
        const sequence = randomSequence(80, 1);
        const work = async () => {
          const state = attention.createState(sizes(1));
          await extend(attention, state, [sequence], 0, 70);
          const [clone, restored] = [state.clone(), attention.restoreState(await state.save())];
          const stacked = attention.stackStates([state, clone, restored]);
          for (const each of [state, clone, restored, stacked]) each.dispose();
        };
        await work();
        const before = backend.bytesAllocated;
        for (let i = 0; i < 3; i++) await work();
        expect(backend.bytesAllocated).toBe(before);
      });
    });
  }
}

describe('states of sequences of different lengths', () => {
  const backend = createReferenceBackend();
  const make = (options: AttentionOptions) =>
    createAttention(backend, attentionSchema.parse(options), { numHeads: heads, dHead, maxLength: 64 }, new Random(3));

  it('FAVOR+ stacks them: its state has one size', async () => {
    const attention = make({ type: 'favor', numFeatures: 6 });
    const sequences = [randomSequence(9, 1), randomSequence(9, 2)];
    const states = [0, 1].map(() => attention.createState(sizes(1)));
    await extend(attention, states[0], [sequences[0]], 0, 3);
    await extend(attention, states[1], [sequences[1]], 0, 7);
    const stacked = attention.stackStates(states) as FavorState;
    expect(stacked.positions).toEqual([3, 7]);
    expect(() => stacked.position).toThrow('stand at different positions (3, 7): slice the state');
    const next = (i: number, at: number): Sequence => {
      const [queries, keys, values] = (['queries', 'keys', 'values'] as const).map((name) =>
        sequences[i][name].subarray(at * heads * widths[name]),
      );
      return { queries, keys, values };
    };
    const out = await extend(attention, stacked, [next(0, 3), next(1, 7)], 0, 2);
    expectClose(rowsOf(out, 0, 2), rowsOf(await whole(attention, sequences[0], 9), 3, 5), 1e-12);
    expectClose(rowsOf(out, 2, 4), rowsOf(await whole(attention, sequences[1], 9), 7, 9), 1e-12);
    expect(stacked.slice(1, 2).position).toBe(9);
    const restored = attention.restoreState(await stacked.save()) as FavorState;
    expect(restored.positions).toEqual([5, 9]);
  });

  it('exact attention does not, in one sentence', async () => {
    const attention = make({ type: 'exact' });
    const states = [0, 1].map(() => attention.createState(sizes(1)));
    await extend(attention, states[0], [randomSequence(3, 1)], 0, 3);
    expect(() => attention.stackStates(states)).toThrow(
      'A key-value cache holds sequences of one length, not of 3, 0; stack those of equal position.',
    );
  });
});

describe('states that do not fit are refused in one sentence', () => {
  const backend = createReferenceBackend();
  const make = (options: AttentionOptions, width = dHead) =>
    createAttention(
      backend,
      attentionSchema.parse(options),
      { numHeads: 1, dHead: width, maxLength: 64 },
      new Random(3),
    );
  const favor = make({ type: 'favor', numFeatures: 6 });
  const exact = make({ type: 'exact' });

  it('when stacked or sliced', () => {
    const state = favor.createState(sizes(2));
    expect(() => favor.stackStates([])).toThrow('there are no states');
    expect(() => favor.stackStates([state, favor.createState({ ...sizes(1), dValue: 7 })])).toThrow('dValue 5 and 7');
    const other = make({ type: 'favor', numFeatures: 7 });
    expect(() => favor.stackStates([state, other.createState(sizes(1))])).toThrow('different numbers of features');
    for (const [start, end] of [
      [0, 3],
      [1, 1],
      [-1, 1],
      [0.5, 2],
    ]) {
      expect(() => state.slice(start, end)).toThrow('are not in a batch of 2');
      expect(() => exact.createState(sizes(2)).slice(start, end)).toThrow('are not in a batch of 2');
    }
  });

  it('when restored', async () => {
    const saved = await favor.createState(sizes(2)).save();
    const cached = await exact.createState(sizes(2)).save();
    const json = JSON.parse(JSON.stringify(savedStateToJson(saved)));
    expect(() => exact.restoreState(saved)).toThrow('This state is one of FAVOR+');
    expect(() => favor.restoreState(cached)).toThrow('This state is one of exact attention');
    expect(() => make({ type: 'favor', numFeatures: 7 }).restoreState(saved)).toThrow(
      'needs 42 numbers in scales but has 36',
    );
    expect(() => make({ type: 'favor', numFeatures: 6 }, 5).restoreState(saved)).toThrow(
      'for dHead 4, this attention for 5',
    );
    expect(() => favor.restoreState({ ...json, positions: [0] })).toThrow('one for each batch row at positions');
    expect(() => favor.restoreState({ ...json, positions: [0, -1] })).toThrow('at positions.1');
    expect(() => favor.restoreState({ ...json, sizes: { ...json.sizes, heads: 0 } })).toThrow('at sizes.heads');
    expect(() => favor.restoreState({ ...json, colour: 1 })).toThrow('no saved decoding state');
    expect(() => favor.restoreState({ ...json, type: 'lsh' })).toThrow('no saved decoding state');
    const cut = { ...json.arrays, sums: json.arrays.sums.slice(16) };
    expect(() => favor.restoreState({ ...json, arrays: cut })).toThrow('numbers in sums but has');
    expect(() => favor.restoreState({ ...json, arrays: { ...json.arrays, sums: 'AAA=' } })).toThrow('at arrays.sums');
    expect(() => favor.restoreState({ ...json, arrays: { ...json.arrays, sums: '?' } })).toThrow('at arrays.sums');
    expect(() => exact.restoreState({ ...cached, positions: [3, 3] })).toThrow('numbers in keys but has 0');
  });

  it('by FavorState.restore alone', () => {
    const arrays = { sums: new Float32Array(6), compensation: new Float32Array(6), scales: new Float32Array(5) };
    const saved = {
      type: 'favor',
      positions: [1],
      sizes: { batch: 1, heads: 2, dHead: 3, dValue: 2 },
      arrays,
    } as const;
    expect(() => FavorState.restore(backend, { ...saved, positions: [1] })).toThrow(
      'needs 4 numbers in scales but has 5',
    );
  });
});

it('an unnormalised configuration gives sums, whose quotient by those of ones is the normalised one', async () => {
  const { backend } = backends[0];
  const make = (normalised: boolean) =>
    createAttention(
      backend,
      attentionSchema.parse({ type: 'favor', numFeatures: 14, featureMap: 'relu', normalised }),
      { numHeads: heads, dHead, maxLength: 64 },
      new Random(3),
    );
  const sequence = randomSequence(19, 4);
  const ones = { ...sequence, values: sequence.values.map(() => 1) };
  const [sums, totals] = [await whole(make(false), sequence, 19), await whole(make(false), ones, 19)];
  const expected = await whole(make(true), sequence, 19);
  expect(Math.max(...totals.map((total) => Math.abs(total - 1)))).toBeGreaterThan(0.5);
  // The stabiliser of the normalised form, 1e-6, is what they differ by.
  expectClose(
    sums.map((sum, i) => sum / totals[i]),
    expected,
    1e-4,
  );
});

describe('a step of other sizes than its state', () => {
  it.each([{ type: 'exact' }, { type: 'auto' }, { type: 'favor' }] as const)(
    '$type: is refused, and the state stays',
    async (options) => {
      const backend = createReferenceBackend();
      const configuration = attentionSchema.parse(options);
      const attention = createAttention(backend, configuration, { numHeads: 2, dHead: 2, maxLength: 8 }, new Random(1));
      const state = attention.createState({ batch: 2, heads: 2, dHead: 2, dValue: 2 });
      const of = (...shape: number[]) =>
        tensor(backend, new Float32Array(shape.reduce((a, b) => a * b)).fill(0.5), shape);
      attention.extend(of(2, 1, 2, 2), of(2, 1, 2, 2), of(2, 1, 2, 2), state);
      const before = await state.save();
      // As many heads of another width would be written over the next sequence of the batch.
      expect(() => attention.extend(of(2, 1, 2, 2), of(2, 1, 2, 3), of(2, 1, 2, 3), state)).toThrow(
        /keys has shape \[2, 1, 2, 3\]/,
      );
      expect(() => attention.extend(of(2, 1, 2, 2), of(2, 1, 4, 2), of(2, 1, 4, 2), state)).toThrow(
        /keys has shape \[2, 1, 4, 2\]/,
      );
      expect(await state.save()).toEqual(before);
    },
  );
});
