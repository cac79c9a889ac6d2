import { describe, expect, it } from 'vitest';
import { exactAttention } from '../../src/attention/exact.ts';
import { drawFeatures, favorAttention } from '../../src/attention/favor.ts';
import type { AttendOptions } from '../../src/attention/types.ts';
import type { Backend, FloatArray } from '../../src/backend/types.ts';
import { multiply } from '../../src/tensor/ops/elementwise.ts';
import { scope } from '../../src/tensor/scope.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { expectGradients, randomTensor } from '../support/gradients.ts';
import { backends } from './backends.ts';
import { combinations } from './combinations.ts';

const [{ backend: reference }] = backends;

/** Weighs each output differently, so that gradients cannot cancel or be mixed up. */
const weighed = (x: Tensor) => multiply(x, randomTensor(x.backend, x.shape, 99));

function given(backend: Backend, seed: number, lengthQ = 2, lengthK = 3, dHead = 3, dValue = 2) {
  return {
    queries: randomTensor(backend, [1, 2, lengthQ, dHead], seed, 0.8),
    keys: randomTensor(backend, [1, 2, lengthK, dHead], seed + 1, 0.8),
    values: randomTensor(backend, [1, 2, lengthK, dValue], seed + 2),
  };
}

describe('gradients of every map over every projection against central differences', () => {
  const forms: Record<string, AttendOptions> = {
    bidirectional: { keyMask: [[1, 0, 1]] },
    'bidirectional, not normalised': { normalised: false },
    causal: { causal: true, offset: 1 },
    'causal, not normalised': { causal: true, offset: 0, normalised: false },
  };
  for (const [form, options] of Object.entries(forms)) {
    it.each(combinations)(`${form}: $name`, async ({ featureMap, projection }) => {
      const inputs = given(reference, 21);
      // Eight features of width 3: blocks are cut, and Hadamard's are padded.
      const features = drawFeatures(reference, 3, { numFeatures: 8, featureMap, projection, seed: 3 });
      const loss = () => weighed(favorAttention(inputs.queries, inputs.keys, inputs.values, { ...options, features }));
      // Steps so small that no feature crosses a kink.
      await expectGradients(loss, inputs, { step: 1e-5, bound: 1e-6, samples: 4 });
    });
  }

  it.each(Object.entries(forms))('%s: exact', async (_, options) => {
    const inputs = given(reference, 21);
    const loss = () => weighed(exactAttention(inputs.queries, inputs.keys, inputs.values, options));
    await expectGradients(loss, inputs, { step: 1e-3, bound: 1e-7 });
  });
});

describe('gradients of compiled kernels', () => {
  const gradientsOn = async (backend: Backend, run: (inputs: ReturnType<typeof given>) => Tensor) => {
    const results = scope(() => {
      const inputs = given(backend, 5, 67, 131, 11, 13);
      const { value, gradients } = valueAndGradients(() => weighed(run(inputs)), Object.values(inputs));
      return [value, ...gradients];
    });
    return Promise.all(results.map((result) => result.data()));
  };
  const relativeError = (actual: FloatArray, expected: FloatArray) => {
    const size = Array.from(expected).reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
    expect(size).toBeGreaterThan(0);
    return Array.from(expected).reduce((worst, x, i) => Math.max(worst, Math.abs(x - actual[i]) / size), 0);
  };
  const picked = combinations.filter(({ name }) =>
    [
      'positive over hadamard',
      'trigonometric over givens',
      'hyperbolic over orthogonal',
      'favor++ over simplex',
      'relu over none',
      'gelu over hadamard',
    ].includes(name),
  );
  const forms: Record<string, AttendOptions> = {
    bidirectional: { keyMask: [Array.from({ length: 131 }, (_, j) => +(j % 3 !== 0))] },
    'bidirectional, not normalised': { normalised: false },
    causal: { causal: true, offset: 37 },
    'causal, not normalised': { causal: true, normalised: false },
  };
  for (const { backend } of backends.slice(1)) {
    for (const [form, options] of Object.entries(forms)) {
      it.each(picked)(`${backend.name}, ${form}: $name as on the reference`, async ({ featureMap, projection }) => {
        const run = ({ queries, keys, values }: ReturnType<typeof given>) =>
          favorAttention(queries, keys, values, {
            ...options,
            features: { numFeatures: 22, featureMap, projection, seed: 3 },
          });
        const [actual, expected] = [await gradientsOn(backend, run), await gradientsOn(reference, run)];
        actual.forEach((data, i) => {
          expect(relativeError(data, expected[i]), ['value', 'queries', 'keys', 'values'][i]).toBeLessThan(2e-5);
        });
      });
    }
  }
});

describe('queries that see no valid key', () => {
  const features = { positive: 'positive', relu: 'relu', trigonometric: 'trigonometric' } as const;
  const attends: Record<string, typeof exactAttention> = {
    exact: exactAttention,
    ...Object.fromEntries(
      Object.entries(features).map(([name, featureMap]): [string, typeof exactAttention] => [
        name,
        (queries, keys, values, options) =>
          favorAttention(queries, keys, values, { ...options, features: { numFeatures: 6, featureMap } }),
      ]),
    ),
  };
  for (const { backend } of backends) {
    for (const normalised of [true, false]) {
      it.each(Object.entries(attends))(
        `${backend.name}, ${normalised ? '' : 'not '}normalised, %s: yield zeros and zero gradients`,
        async (_, attend) => {
          // Query i sees keys up to i, of which the first two are masked.
          const options = { causal: true, offset: 0, keyMask: [[0, 0, 1, 1]], normalised };
          const tensors = given(backend, 7, 4, 4);
          const { queries, keys, values } = tensors;
          const { value, gradients } = valueAndGradients(
            () => weighed(attend(queries, keys, values, options)),
            Object.values(tensors),
          );
          const rows = async (x: Tensor) => {
            const data = Array.from(await x.data());
            const width = x.shape[3];
            return data.flatMap((_, i) => (i % width === 0 ? [data.slice(i, i + width)] : []));
          };
          for (const [name, x] of Object.entries({ value, dQ: gradients[0], dK: gradients[1], dV: gradients[2] })) {
            (await rows(x)).forEach((row, at) => {
              const isUnseen = at % 4 < 2;
              if (isUnseen) expect(row.map(Math.abs), `${name}, row ${at}`).toEqual(row.map(() => 0));
              // One key leaves a softmax row no gradient of queries and keys.
              else if (name === 'value' || name === 'dV') expect(Math.max(...row.map(Math.abs))).toBeGreaterThan(0);
              for (const x of row) expect(Number.isFinite(x), `${name}, row ${at}`).toBe(true);
            });
          }
        },
      );
    }
  }
});
