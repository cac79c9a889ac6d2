import { describe, expect, it } from 'vitest';
import { createAttention } from '../../../src/attention/attention.ts';
import { attentionSchema } from '../../../src/attention/configuration.ts';
import { rememberSource } from '../../../src/attention/decoding/source-memory.ts';
import { Random } from '../../../src/base/random.ts';
import { scope } from '../../../src/tensor/scope.ts';
import type { Tensor } from '../../../src/tensor/tensor.ts';
import { randomTensor } from '../../support/gradients.ts';
import { backends } from '../backends.ts';

const [batch, heads, lengthK, lengthQ, dHead] = [2, 3, 301, 5, 7];
const keyMask = [0, 1].map((row) => Array.from({ length: lengthK }, (_, j) => ((j * (row + 3)) % 5 === 0 ? 0 : 1)));

describe('rememberSource', () => {
  for (const { backend, rounding } of backends) {
    for (const options of [
      { type: 'exact' },
      { type: 'favor', numFeatures: 19 },
      { type: 'favor', numFeatures: 19, featureMap: 'sigmoid' },
      { type: 'auto', numFeatures: 19 },
    ] as const) {
      it(`${backend.name}, ${JSON.stringify(options)}: queries see what they see in one pass, again and again`, async () => {
        const sizes = { numHeads: heads, dHead, maxLength: lengthK };
        const attention = createAttention(backend, attentionSchema.parse(options), sizes, new Random(3));
        const [keys, values] = [1, 2].map((seed) => randomTensor(backend, [batch, lengthK, heads, dHead], seed));
        for (const mask of [undefined, keyMask]) {
          const memory = rememberSource(attention, keys, values, mask);
          for (const [seed, length] of [
            [4, lengthQ],
            [5, 1],
            [4, lengthQ],
          ]) {
            const queries = randomTensor(backend, [batch, length, heads, dHead], seed);
            const numbers = async (make: () => Tensor) => Array.from(await scope(make).data());
            const actual = await numbers(() => memory.attend(queries));
            const expected = await numbers(() =>
              attention.attend(queries, keys, values, { keyMask: mask, layout: 'blhd' }),
            );
            const worst = actual.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i])), 0);
            expect(actual).toHaveLength(batch * length * heads * dHead);
            expect(worst).toBeLessThan(rounding);
          }
          memory.dispose();
        }
        attention.dispose();
      });
    }
  }
});
