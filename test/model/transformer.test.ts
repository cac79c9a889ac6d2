import { describe, it } from 'vitest';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { Random } from '../../src/base/random.ts';
import { Dropout } from '../../src/model/layers/dropout.ts';
import { languageModelLoss } from '../../src/model/losses.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { expectGradients } from '../support/gradients.ts';

const backend = createReferenceBackend();
const tiny = { vocabSize: 11, dModel: 6, numLayers: 2, numHeads: 3, dFeedForward: 7, maxLength: 13 };

/** Larger parameters than the initial ones, so that attention is far from uniform and every gradient counts. */
function enlarge(model: Transformer): void {
  const random = new Random(17);
  for (const { storage, size } of model.parameters().values()) {
    backend.write(
      storage,
      Float64Array.from({ length: size }, () => 0.5 * random.normal()),
    );
  }
}

describe('Transformer gradients against central differences', () => {
  for (const attention of [{ type: 'exact' }, { type: 'favor', numFeatures: 5 }] as const) {
    for (const positions of ['learned', 'sinusoidal', 'rotary'] as const) {
      for (const causal of [true, false]) {
        it(`${attention.type}, ${positions} positions, ${causal ? 'causal' : 'bidirectional'}`, async () => {
          const model = new Transformer(backend, { ...tiny, attention, positions, causal, tiedEmbeddings: causal }, 3);
          enlarge(model);
          const ids = tensor(backend, Int32Array.of(1, 4, 10, 4, 7, 2, 0, 9, 9, 3), [2, 5]);
          const targets = tensor(backend, Int32Array.of(4, 10, 4, -1, 2, 0, 9, 9, 3, 5), [2, 5]);
          const segments = [Int32Array.of(0, 0, 0, 1, 1), Int32Array.of(0, 0, 0, 0, 0)];
          const loss = () =>
            languageModelLoss(model, ids, targets, { weight: 1 / 9, segments, dropout: new Dropout(0.3, [5, 0]) }).loss;
          // Key biases have no gradient under exact softmax: they shift all of a query's scores alike.
          const parameters = [...model.parameters()].filter(([name]) => !name.endsWith('key.bias'));
          await expectGradients(loss, Object.fromEntries(parameters), { samples: 11, bound: 1e-6 });
          model.dispose();
        });
      }
    }
  }
});
