import { afterAll, describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../../../src/backend/reference/backend.ts';
import { Random } from '../../../src/base/random.ts';
import { createBackend, Transformer } from '../../../src/entries/performers.ts';
import { sinusoidalPositions } from '../../../src/model/layers/positions.ts';
import { rotary } from '../../../src/tensor/ops/rotary.ts';
import { tensor } from '../../../src/tensor/tensor.ts';

const reference = createReferenceBackend();
const wasm = await createBackend({ backend: 'wasm', numThreads: 1 });
afterAll(() => {
  reference.close();
  wasm.close();
});

const random = new Random(3, 1);
const numbers = Float32Array.from({ length: 4 * 2 * 6 }, () => random.normal());

describe.each([reference, wasm])('$name', (backend) => {
  const turned = (offset: number) => rotary(tensor(backend, numbers, [1, 4, 2, 6]), { offset }).data();

  it('rotary positions are right up to 2^31 − 2, and refused from there on', async () => {
    const offset = 2 ** 31 - 5;
    const out = await turned(offset);
    numbers.forEach((_, at) => {
      const [position, pair] = [Math.floor(at / 12), Math.floor((at % 6) / 2)];
      const angle = (offset + position) * 10_000 ** ((-2 * pair) / 6);
      const [even, odd] = [numbers[at - (at % 2)], numbers[at - (at % 2) + 1]];
      const expected =
        at % 2 === 0 ? even * Math.cos(angle) - odd * Math.sin(angle) : even * Math.sin(angle) + odd * Math.cos(angle);
      expect(out[at]).toBeCloseTo(expected, 4);
    });
    for (const bad of [2 ** 31 - 4, 2 ** 32, -(2 ** 31), 0.5, Number.NaN]) {
      expect(() => turned(bad), String(bad)).toThrow('whole numbers of less than 2^31');
      expect(() => sinusoidalPositions(bad, 4, 6), String(bad)).toThrow('whole numbers of less than 2^31');
    }
  });
});

describe.each(['learned', 'sinusoidal', 'rotary', 'none'] as const)('%s positions', (positions) => {
  it.each([true, false])('padding in front, causal %s: what segments give', async (causal) => {
    const options = {
      vocabSize: 11,
      dModel: 8,
      numHeads: 2,
      numLayers: 2,
      dFeedForward: 16,
      maxLength: 16,
      positions,
      causal,
    };
    const model = new Transformer(reference, { ...options, attention: 'exact' }, 1);
    const ids = tensor(
      reference,
      Int32Array.from({ length: 14 }, (_, i) => i % 11),
      [2, 7],
    );
    const segments = [Int32Array.of(-1, -1, 0, 0, 0, 0, 0), Int32Array.of(0, 0, 0, 0, 0, -1, -1)];
    const keyMask = segments.map((row) => Float32Array.from(row, (id) => (id < 0 ? 0 : 1)));
    const [masked, segmented] = await Promise.all(
      [{ keyMask }, { segments }].map((given) => model.forward(ids, given).data()),
    );
    segments.forEach((row, b) => {
      row.forEach((id, i) => {
        if (id < 0) return;
        for (let c = 0; c < 8; c++) {
          const at = (b * 7 + i) * 8 + c;
          expect(masked[at]).toBeCloseTo(segmented[at], 10);
        }
      });
    });
    if (positions !== 'none') {
      const flat = tensor(reference, Float32Array.from(keyMask.flatMap((row) => [...row])), [2, 7]);
      expect(() => model.forward(ids, { keyMask: flat })).toThrow('give the mask as arrays');
    }
    model.dispose();
  });
});
