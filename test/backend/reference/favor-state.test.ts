/** States of the reference backend: streaming, and the documented meaning that lets other backends resume them. */

import { describe, expect, test } from 'vitest';
import { dividedRows, exponentialEstimator } from '../../../src/backend/projection-sizes.ts';
import { createReferenceBackend } from '../../../src/backend/reference/backend.ts';
import { Random } from '../../../src/base/random.ts';
import { relativeError } from '../../conformance/case.ts';

const backend = createReferenceBackend();
const random = new Random(20210302);
const normals = (count: number, scale = 1) => Float64Array.from({ length: count }, () => scale * random.normal());
const zeros = (count: number) => backend.upload(new Float64Array(count));

describe('reference FAVOR+ states', () => {
  const [heads, length, dHead, dValue, numFeatures] = [2, 11, 3, 5, 4];
  const width = dValue + 1;
  const estimator = { ...exponentialEstimator(numFeatures), ...dividedRows };
  const q = normals(heads * length * dHead, 2);
  const k = normals(heads * length * dHead, 2);
  const v = normals(heads * length * dValue);
  const projection = backend.upload(normals(numFeatures * dHead));
  const emptyState = () => ({
    sums: zeros(heads * numFeatures * width),
    compensation: zeros(heads * numFeatures * width),
    scales: backend.upload(new Float64Array(heads * numFeatures).fill(Number.NEGATIVE_INFINITY)),
  });

  /** Causal FAVOR+ over positions [start, end) of every head. */
  async function causal(start: number, end: number, state?: ReturnType<typeof emptyState>) {
    const count = end - start;
    const cut = (data: Float64Array, d: number) =>
      backend.upload(
        Float64Array.from({ length: heads * count * d }, (_, at) => {
          const [head, position, c] = [Math.floor(at / (count * d)), Math.floor(at / d) % count, at % d];
          return data[(head * length + start + position) * d + c];
        }),
      );
    const out = zeros(heads * count * dValue);
    backend.favorCausal({
      ...{
        numSequences: 1,
        heads,
        lengthQ: count,
        lengthK: count,
        dHead,
        dValue,
        layout: 'bhld',
        projection,
        ...estimator,
      },
      ...{ q: cut(q, dHead), k: cut(k, dHead), v: cut(v, dValue), out, denominator: zeros(heads * count) },
      sequences: backend.upload(Int32Array.of(0, 0, count, 0, count, 0)),
      ...state,
      updateState: state !== undefined,
    });
    return backend.read(out);
  }

  test('two pieces joined by a state, rounded to float32 in between, equal one pass', async () => {
    const whole = await causal(0, length);
    const state = emptyState();
    const first = await causal(0, 4, state);
    const moved = { ...state };
    for (const key of ['sums', 'compensation', 'scales'] as const) {
      moved[key] = backend.upload(Float32Array.from(await backend.read(state[key])));
    }
    const scales = await backend.read(state.scales);
    expect(scales.every(Number.isInteger)).toBe(true);
    const second = await causal(4, length, moved);
    for (let head = 0; head < heads; head++) {
      const row = whole.subarray(head * length * dValue, (head + 1) * length * dValue);
      expect(
        relativeError(first.subarray(head * 4 * dValue, (head + 1) * 4 * dValue), row.subarray(0, 4 * dValue)),
      ).toBeLessThan(1e-12);
      expect(
        relativeError(second.subarray(head * 7 * dValue, (head + 1) * 7 * dValue), row.subarray(4 * dValue)),
      ).toBeLessThan(1e-12);
    }
  });

  test('step by step equals one pass', async () => {
    const whole = await causal(0, length);
    const state = emptyState();
    for (let i = 0; i < length; i++) {
      const at = (data: Float64Array, d: number) =>
        backend.upload(
          Float64Array.from({ length: heads * d }, (_, e) => data[(Math.floor(e / d) * length + i) * d + (e % d)]),
        );
      const out = zeros(heads * dValue);
      const inputs = { q: at(q, dHead), k: at(k, dHead), v: at(v, dValue) };
      backend.favorStep({ ...inputs, ...state, out, ...estimator, projection, batch: 1, heads, dHead, dValue });
      const expected = Float64Array.from({ length: heads * dValue }, (_, e) => {
        return whole[(Math.floor(e / dValue) * length + i) * dValue + (e % dValue)];
      });
      expect(relativeError(await backend.read(out), expected)).toBeLessThan(1e-12);
    }
  });

  test('the denominator is the documented one: relative to max_r (n_r + c_r)', async () => {
    const state = emptyState();
    const [out, denominator] = [zeros(heads * length * dValue), zeros(heads * length)];
    backend.favor({
      ...{
        numSequences: 1,
        heads,
        lengthQ: length,
        lengthK: length,
        dHead,
        dValue,
        layout: 'bhld',
        ...estimator,
        projection,
      },
      ...{ q: backend.upload(q), k: backend.upload(k), v: backend.upload(v), out, denominator, ...state },
      sequences: backend.upload(Int32Array.of(0, 0, length, 0, length, 0)),
    });
    const [sums, scales] = [await backend.read(state.sums), await backend.read(state.scales)];
    const w = await backend.read(projection);
    const expected = Float64Array.from({ length: heads * length }, (_, at) => {
      const head = Math.floor(at / length);
      const log2 = Array.from({ length: numFeatures }, (_, r) => {
        let u = 0;
        for (let c = 0; c < dHead; c++) u += (w[r * dHead + c] * q[at * dHead + c]) / dHead ** 0.25;
        return u * Math.LOG2E;
      });
      const unit = Math.max(...log2.map((x, r) => Math.round(x) + scales[head * numFeatures + r]));
      return log2.reduce((sum, x, r) => {
        const feature = head * numFeatures + r;
        return sum + 2 ** (x + scales[feature] - unit) * sums[feature * width + dValue];
      }, 0);
    });
    // sums alone, without their compensation, are float32
    expect(relativeError(await backend.read(denominator), expected)).toBeLessThan(1e-6);
  });
});
