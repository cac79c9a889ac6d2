import { describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { languageModelLoss } from '../../src/model/losses.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { scope } from '../../src/tensor/scope.ts';
import { tensor } from '../../src/tensor/tensor.ts';

const backend = createReferenceBackend();
const sizes = { vocabSize: 11, dModel: 12, numLayers: 2, numHeads: 3, dFeedForward: 7, maxLength: 5 };
const sequences = [
  [1, 4, 10, 4, 7],
  [2, 0, 9],
  [9, 3, 5, 6],
];

async function losses(model: Transformer, ids: number[], targets: number[], segments?: number[]): Promise<number[]> {
  const shape = [1, ids.length];
  const { loss } = scope(() =>
    languageModelLoss(
      model,
      tensor(backend, Int32Array.from(ids), shape),
      tensor(backend, Int32Array.from(targets), shape),
      { segments: segments && [segments] },
    ),
  );
  return Array.from(await loss.data());
}

const next = (ids: number[]) => ids.map((id) => (3 * id + 1) % sizes.vocabSize);

describe('a packed row gives every token the loss of its sequence alone', () => {
  for (const positions of ['learned', 'sinusoidal', 'rotary', 'none'] as const) {
    for (const causal of [true, false]) {
      for (const attention of [{ type: 'exact' }, { type: 'favor', numFeatures: 7 }] as const) {
        it(`${attention.type}, ${positions} positions, ${causal ? 'causal' : 'bidirectional'}`, async () => {
          const model = new Transformer(backend, { ...sizes, positions, causal, attention }, 3);
          // Twelve tokens where learned positions end at five; padding between the sequences and at the end.
          const row = [...sequences[0], 8, ...sequences[1], ...sequences[2], 8, 8];
          const segments = [0, 0, 0, 0, 0, -1, 1, 1, 1, 2, 2, 2, 2, -1, -1];
          const targets = next(row).map((target, i) => (segments[i] < 0 ? -1 : target));
          const packed = await losses(model, row, targets, segments);
          let at = 0;
          for (const ids of sequences) {
            for (const expected of await losses(model, ids, next(ids))) {
              while (segments[at] < 0) at++;
              expect(expected).toBeGreaterThan(0.1);
              expect(Math.abs(packed[at++] - expected)).toBeLessThan(1e-12);
            }
          }
          expect(at).toBe(13);
          model.dispose();
        });
      }
    }
  }

  it('learned positions still end where they end', () => {
    const model = new Transformer(backend, sizes, 3);
    const ids = tensor(backend, new Int32Array(12), [2, 6]);
    expect(() => model.forward(ids, { segments: [new Int32Array(6), new Int32Array(6)] })).toThrow(
      "reaches 6 tokens but this model's learned positions end at 5",
    );
  });
});
