import { afterAll, describe, expect, it } from 'vitest';
import { drawFeatures, favorAttention } from '../../../src/attention/favor.ts';
import { MeasuredOutputs, relativeError } from '../../../src/attention/inspect/output-error.ts';
import { createBackend } from '../../../src/entries/performers.ts';
import { countTurns } from '../../support/slow-clock.ts';
import { randomInputs, uploadInputs } from '../quadratic-form.ts';

const backend = await createBackend({ backend: 'wasm', numThreads: 1 });
afterAll(() => backend.close());

describe('estimates', () => {
  it('of many features are made in pieces, and equal the attention of the whole', async () => {
    const [lengthK, dValue] = [150, 33];
    const sizes = { batch: 2, heads: 1, lengthQ: lengthK, lengthK, dHead: 32, dValue };
    const { queries, keys, values } = uploadInputs(backend, randomInputs(sizes, 5));
    const features = drawFeatures(backend, 32, { numFeatures: 8192, seed: 1 });
    const keyMask = [0, 1].map((b) => Float32Array.from({ length: lengthK }, (_, j) => +((j + b) % 3 > 0)));
    for (const causal of [false, true]) {
      const measured = await MeasuredOutputs.open(queries, keys, values, { causal, keyMask, maxRows: 70 });
      // The kernels keep their workspace.
      await measured.estimates(features);
      const before = backend.bytesAllocated;
      const [found, turns] = await countTurns(() => measured.estimates(features));
      expect(backend.bytesAllocated).toBe(before);
      // Before each of two heads, and before each of their three pieces.
      expect(turns).toBeGreaterThanOrEqual(8);

      const out = await favorAttention(queries, keys, values, { causal, keyMask, features }).data();
      const whole = [0, 1].map((b) =>
        Float64Array.from(
          measured.rows.flatMap((row) => [...out.subarray((b * lengthK + row) * dValue)].slice(0, dValue)),
        ),
      );
      expect(measured.rows).toHaveLength(70);
      expect(relativeError(found, whole)).toBeLessThan(1e-5);
    }
  });
});
