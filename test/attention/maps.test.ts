import { describe, expect, it } from 'vitest';
import { favorAttention } from '../../src/attention/favor.ts';
import type { AttendOptions } from '../../src/attention/types.ts';
import { Random, streams } from '../../src/base/random.ts';
import { featureConfiguration } from '../../src/features/configuration.ts';
import { drawFeatures } from '../../src/features/draw-features.ts';
import { scope } from '../../src/tensor/scope.ts';
import { backends } from './backends.ts';
import { combinations } from './combinations.ts';
import { featureKernel, quadraticForm, randomInputs, uploadInputs, worstError } from './quadratic-form.ts';

const sizes = { batch: 1, heads: 2, lengthQ: 11, lengthK: 13, dHead: 5, dValue: 3 };
const inputs = randomInputs(sizes, 29, 0.8);
const forms: AttendOptions[] = [
  { keyMask: [Array.from({ length: 13 }, (_, j) => +(j % 4 !== 1))] },
  { causal: true, offset: 1 },
  { causal: true, normalised: false },
];

for (const { backend, rounding } of backends) {
  describe(`every map over every projection on ${backend.name}: the quadratic form`, () => {
    it.each(combinations)('$name', async ({ featureMap, projection }) => {
      // More directions than two blocks of 5 (or of 8, padded), the last of which is cut.
      const options = { numFeatures: 38, featureMap, projection };
      const drawn = drawFeatures(featureConfiguration.parse(options), 5, new Random(0, streams.projections));
      const kernel = featureKernel(drawn, 5);
      for (const form of forms) {
        const out = scope(() => {
          const { queries, keys, values } = uploadInputs(backend, inputs);
          return favorAttention(queries, keys, values, { ...form, features: options });
        });
        const error = worstError(await out.data(), quadraticForm(kernel, inputs, form));
        out.dispose();
        expect(error, JSON.stringify(form)).toBeLessThan(rounding);
      }
    });
  });
}
