/** Public functions leave out what is masked or padding, whatever stands there. */
import { describe, expect, it } from 'vitest';
import { createAttention } from '../../src/attention/attention.ts';
import { type AttentionOptions, attentionSchema } from '../../src/attention/configuration.ts';
import type { AttendOptions } from '../../src/attention/types.ts';
import { Random } from '../../src/base/random.ts';
import { pool } from '../../src/model/layers/pooling.ts';
import { multiply } from '../../src/tensor/ops/elementwise.ts';
import { permute } from '../../src/tensor/ops/layout.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { backends } from './backends.ts';

const [batch, heads, length, d] = [2, 2, 23, 6];
const mask = [0, 1].map((row) => Array.from({ length }, (_, j) => ((j + row) % 4 === 1 || j > 18 ? 0 : 1)));
const padding = [17, 20].map((valid) => Int32Array.from({ length }, (_, i) => (i < valid ? 0 : -1)));
const values = [Number.NaN, Number.POSITIVE_INFINITY, 3e38];

/** The last keys are later than every query. */
const unseen = { causal: true, offset: -5 };

const kinds: Record<string, readonly AttendOptions[]> = {
  exact: [{ keyMask: mask }, { keyMask: mask, causal: true }, { segments: padding }, unseen],
  favor: [{ keyMask: mask }, { keyMask: mask, causal: true }, { segments: padding }, unseen],
  'near field': [{ keyMask: mask }, { keyMask: mask, causal: true }, { segments: padding }, unseen],
  auto: [{ keyMask: mask }, { keyMask: mask, causal: true }, { segments: padding }, unseen],
  lsh: [{ keyMask: mask }, { keyMask: mask, causal: true }, { segments: padding }],
  linformer: [{ keyMask: mask }, { segments: padding }],
};

const configurations: Record<string, AttentionOptions> = {
  auto: { type: 'auto', crossover: 1 },
  'near field': { type: 'favor', nearField: { block: 3, sinks: 1 } },
};

function drawn(count: number, seed: number): Float32Array {
  const random = new Random(seed, 1);
  return Float32Array.from({ length: count }, () => random.normal());
}

describe.each(backends)('$backend.name', ({ backend }) => {
  describe.each(Object.entries(kinds))('%s', (type, all) => {
    it.each(all)('%o', async (options) => {
      const random = new Random(7, 2);
      const configuration = attentionSchema.parse(configurations[type] ?? { type });
      const attention = createAttention(
        backend,
        configuration,
        { numHeads: heads, dHead: d, maxLength: length },
        random,
      );
      const isValid = (at: number) => {
        const [row, position] = [Math.floor(at / (heads * length * d)), Math.floor(at / d) % length];
        if ('keyMask' in options) return mask[row][position] === 1;
        return 'segments' in options ? padding[row][position] === 0 : position < length - 5;
      };
      const resultsWith = async (value: number) => {
        const array = (seed: number, poisoned: boolean) => {
          const data = drawn(batch * heads * length * d, seed);
          const given = data.map((number, at) => (poisoned && !isValid(at) ? value : number));
          return tensor(backend, given, [batch, heads, length, d]);
        };
        const shared = attention.sharesKeys ?? false;
        const keys = array(2, true);
        const queries = shared ? keys : array(1, false);
        const given = shared ? [keys, array(3, true)] : [queries, keys, array(3, true)];
        const weight = array(4, false);
        const loss = () => multiply(attention.attend(queries, keys, given.at(-1)!, options), weight);
        const { value: out, gradients } = valueAndGradients(loss, given);
        return Promise.all([out, ...gradients].map((each) => each.data()));
      };
      const expected = await resultsWith(0.5);
      expect(expected.every((data) => data.every(Number.isFinite))).toBe(true);
      for (const value of values) expect(await resultsWith(value), `with ${value}`).toEqual(expected);
      attention.dispose();
    });
  });

  it.each(['mean', 'first', 'last'] as const)('pooling by %s', async (pooling) => {
    const pooled = (value: number) => {
      const data = drawn(batch * length * d, 5).map((x, at) =>
        mask[Math.floor(at / (length * d))][Math.floor(at / d) % length] === 1 ? x : value,
      );
      const x = tensor(backend, data, [batch, length, d]);
      const { value: out, gradients } = valueAndGradients(() => pool(x, pooling, { keyMask: mask }), [x]);
      return Promise.all([out.data(), gradients[0].data()]);
    };
    const expected = await pooled(0.5);
    for (const value of values) expect(await pooled(value)).toEqual(expected);
  });

  it('heads first: an infinity stays one number', async () => {
    const data = drawn(batch * length * heads * d, 6);
    data[7] = Number.POSITIVE_INFINITY;
    const moved = await permute(tensor(backend, data, [batch, length, heads, d]), [0, 2, 1, 3]).data();
    const expected = moved.map((_, at) => {
      const [row, head] = [Math.floor(at / (heads * length * d)), Math.floor(at / (length * d)) % heads];
      return data[((row * length + (Math.floor(at / d) % length)) * heads + head) * d + (at % d)];
    });
    expect(moved).toEqual(expected);
  });
});
