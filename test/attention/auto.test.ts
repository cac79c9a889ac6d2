import { describe, expect, it } from 'vitest';
import { createAttention } from '../../src/attention/attention.ts';
import type { AutoAttention } from '../../src/attention/auto.ts';
import { type AttentionOptions, attentionSchema } from '../../src/attention/configuration.ts';
import { crossoverLength } from '../../src/attention/crossover.ts';
import type { AttendOptions } from '../../src/attention/types.ts';
import { Random } from '../../src/base/random.ts';
import { scope } from '../../src/tensor/scope.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { backends } from './backends.ts';
import { packed, randomInputs, uploadInputs } from './quadratic-form.ts';

const [heads, dHead, dValue] = [2, 4, 3];
const features = { numFeatures: 6, featureMap: 'hyperbolic' } as const;

async function numbers(make: () => Tensor): Promise<number[]> {
  const out = scope(make);
  const data = Array.from(await out.data());
  out.dispose();
  return data;
}

for (const { backend } of backends) {
  const make = (options: AttentionOptions) =>
    createAttention(backend, attentionSchema.parse(options), { numHeads: 1, dHead, maxLength: 64 }, new Random(7));
  const auto = make({ type: 'auto', crossover: 12, ...features });
  const favor = make({ type: 'favor', ...features });
  const exact = make({ type: 'exact' });

  const inputs = (lengthQ: number, lengthK: number, batch = 1) =>
    uploadInputs(backend, randomInputs({ batch, heads, lengthQ, lengthK, dHead, dValue }, 3), 'blhd');

  /** Which attention the automatic one was, to the last bit. */
  async function taken(lengthQ: number, lengthK: number, options: AttendOptions = {}): Promise<'exact' | 'favor'> {
    const { queries, keys, values } = inputs(lengthQ, lengthK, options.segments?.length);
    const [own, linear, quadratic] = await Promise.all(
      [auto, favor, exact].map((each) =>
        numbers(() => each.attend(queries, keys, values, { layout: 'blhd', ...options })),
      ),
    );
    expect(linear).not.toEqual(quadratic);
    expect([linear, quadratic]).toContainEqual(own);
    return String(own) === String(linear) ? 'favor' : 'exact';
  }

  describe(`attention auto on ${backend.name}`, () => {
    it('is exact below the crossover and FAVOR+ from there on', async () => {
      expect([await taken(11, 11), await taken(12, 12), await taken(40, 40)]).toEqual(['exact', 'favor', 'favor']);
      const causal = { causal: true };
      expect([await taken(11, 11, causal), await taken(12, 12, causal)]).toEqual(['exact', 'favor']);
    });

    it('lets the longest packed sequence decide', async () => {
      const rows = (longest: number) => {
        const short = packed(
          [
            { gap: 0, length: 9 },
            { gap: 1, length: 10 },
          ],
          23,
        );
        return [
          short,
          packed(
            [
              { gap: 2, length: longest },
              { gap: 0, length: 3 },
            ],
            23,
          ),
        ];
      };
      expect(await taken(23, 23, { segments: rows(11) })).toBe('exact');
      expect(await taken(23, 23, { segments: rows(12) })).toBe('favor');
    });

    it('weighs queries and keys of different lengths', async () => {
      // As expensive as 2·7·42/49 = 12 and 2·7·41/48 = 11.96 of both.
      expect([await taken(7, 42), await taken(7, 41), await taken(42, 7)]).toEqual(['favor', 'exact', 'favor']);
    });

    it('decodes exactly up to the crossover, then as FAVOR+ over the whole', async () => {
      const length = 21;
      const all = randomInputs({ batch: 2, heads, lengthQ: length, lengthK: length, dHead, dValue }, 5);
      const part = (from: number, to: number) => {
        const cut = (rows: number[][][][]) => rows.map((batch) => batch.map((head) => head.slice(from, to)));
        const sizes = { ...all.sizes, lengthQ: to - from, lengthK: to - from };
        const { queries, keys, values } = uploadInputs(
          backend,
          { sizes, q: cut(all.q), k: cut(all.k), v: cut(all.v) },
          'blhd',
        );
        return [queries, keys, values] as const;
      };
      const whole = (each: typeof auto) =>
        numbers(() => each.attend(...part(0, length), { causal: true, layout: 'blhd' }));
      const [linear, quadratic] = [await whole(favor), await whole(exact)];
      const rowsOf = (data: number[], from: number, to: number) =>
        [0, 1].flatMap((b) => {
          const row = heads * dValue;
          return data.slice((b * length + from) * row, (b * length + to) * row);
        });
      for (const pieces of [new Array(length).fill(1), [5, 6, 1, 9], [8, 13], [21]]) {
        const state = auto.createState({ batch: 2, heads, dHead, dValue });
        for (const step of pieces) {
          const from = state.position;
          const out = await numbers(() => auto.extend(...part(from, from + step), state));
          const expected = rowsOf(from + step < 12 ? quadratic : linear, from, from + step);
          out.forEach((value, i) => {
            expect(Math.abs(value - expected[i]), `${pieces} at ${from}, ${i}`).toBeLessThan(1e-5);
          });
        }
        expect(state.position).toBe(length);
        state.dispose();
      }
    });

    it('saves, restores, stacks and slices states on both sides of the crossover', async () => {
      const { queries, keys, values } = inputs(30, 30);
      const states = [5, 5, 12].map((length) => {
        const state = auto.createState({ batch: 1, heads, dHead, dValue });
        const cut = inputs(length, length);
        scope(() => auto.extend(cut.queries, cut.keys, cut.values, state));
        return state;
      });
      const saved = await Promise.all(states.map((state) => state.save()));
      expect(saved.map(({ type }) => type)).toEqual(['exact', 'exact', 'favor']);
      expect(() => auto.stackStates(states)).toThrow('some sequences are below the crossover and some beyond');
      for (const group of [states.slice(0, 2), states.slice(2)]) {
        const stacked = auto.stackStates(group);
        const again = auto
          .restoreState(await stacked.save())
          .slice(0, 1)
          .clone();
        const next = (state: typeof again) => numbers(() => auto.extend(queries, keys, values, state));
        const [expected, actual] = [await next(group[0]), await next(again)];
        actual.forEach((value, i) => {
          expect(Math.abs(value - expected[i])).toBeLessThan(1e-5);
        });
      }
    });
  });
}

describe('the crossover', () => {
  const [{ backend }] = backends;
  const parse = (options: AttentionOptions) => attentionSchema.parse(options);
  const crossovers = (options: AttentionOptions) => {
    const attention = createAttention(
      backend,
      parse(options),
      { numHeads: 1, dHead: 8, maxLength: 64 },
      new Random(1),
    ) as AutoAttention;
    return [attention.crossover(false), attention.crossover(true)];
  };

  it('is twice the features, four times if causal, shifted by what was measured', () => {
    for (const name of ['native', 'wasm', 'reference'] as const) {
      for (const causal of [false, true]) {
        const equalFlops = (causal ? 4 : 2) * 256;
        expect(crossoverLength(name, 256, causal)).toBeGreaterThan(0.5 * equalFlops);
        expect(crossoverLength(name, 256, causal)).toBeLessThan(2 * equalFlops);
        expect(Math.abs(crossoverLength(name, 256, causal) / crossoverLength(name, 64, causal) - 4)).toBeLessThan(0.1);
      }
    }
    expect(crossoverLength('reference', 128, true)).toBe(crossoverLength('native', 128, true));
    // What docs/favor.md says.
    expect([false, true].map((causal) => crossoverLength('native', 256, causal))).toEqual([528, 1125]);
  });

  it('follows from the features, unless given', () => {
    const expected = [false, true].map((causal) => crossoverLength('reference', 48, causal));
    expect(crossovers({ type: 'auto', numFeatures: 48 })).toEqual(expected);
    expect(crossovers({ type: 'auto', numFeatures: 48, crossover: 7 })).toEqual([7, 7]);
  });

  it('is refused where the map estimates another kernel', () => {
    expect(() => parse({ type: 'auto', featureMap: 'relu' })).toThrow('auto needs an estimate of the softmax kernel');
    expect(() => parse({ type: 'auto', crossover: -1 })).toThrow('crossover');
  });
});
