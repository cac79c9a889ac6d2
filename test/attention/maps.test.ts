import { describe, expect, it } from 'vitest';
import { favorAttention } from '../../src/attention/favor.ts';
import type { AttendOptions } from '../../src/attention/types.ts';
import { Random, streams } from '../../src/base/random.ts';
import { activations, featureSchema } from '../../src/features/configuration.ts';
import { drawFeatures } from '../../src/features/draw-features.ts';
import { type ProjectionKind, projectionKinds } from '../../src/features/projection.ts';
import { scope } from '../../src/tensor/scope.ts';
import { rowsOf } from '../features/support.ts';
import { backends } from './backends.ts';
import { combinations } from './combinations.ts';
import {
  activationFunctions,
  featureKernel,
  type Kernel,
  quadraticForm,
  randomInputs,
  uploadInputs,
  worstError,
} from './quadratic-form.ts';

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
      const drawn = drawFeatures(featureSchema.parse(options), 5, new Random(0, streams.projections));
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

/** weight·Σ_r (f(ω_rᵀq) + ε)(f(ω_rᵀk) + ε): inputs as they are, not times d^(−1/4). */
function unscaledKernel(activation: (typeof activations)[number], projection: ProjectionKind, epsilon: number): Kernel {
  const options = { numFeatures: 38, featureMap: activation, projection };
  // Rows ω are the same whatever is done with the inputs.
  const drawn = drawFeatures(featureSchema.parse(options), sizes.dHead, new Random(0, streams.projections));
  const rows = rowsOf(drawn, sizes.dHead);
  const total = (terms: readonly number[]) => terms.reduce((a, b) => a + b, 0);
  const features = (x: readonly number[]) =>
    rows.map((row) => activationFunctions[activation](total(row.map((w, i) => w * x[i]))) + epsilon);
  return (q, k) => {
    const [left, right] = [features(q), features(k)];
    const terms = left.map((value, r) => (value * right[r]) / rows.length);
    return { value: total(terms), size: total(terms.map(Math.abs)) };
  };
}

describe.each(backends)('generalised maps of inputs that are not scaled, on $backend.name', ({ backend, rounding }) => {
  it.each(projectionKinds)('over projection %s', async (projection) => {
    const form: AttendOptions = { causal: true, offset: 1 };
    for (const activation of activations) {
      const kernel = unscaledKernel(activation, projection, 0.3);
      const featureMap = { type: 'generalised', activation, epsilon: 0.3, stabiliser: 0, scaleInputs: false } as const;
      const out = scope(() => {
        const { queries, keys, values } = uploadInputs(backend, inputs);
        const features = { numFeatures: 38, featureMap, projection };
        return favorAttention(queries, keys, values, { ...form, features });
      });
      const error = worstError(await out.data(), quadraticForm(kernel, inputs, form));
      out.dispose();
      expect(error, activation).toBeLessThan(rounding);
    }
  });
});
