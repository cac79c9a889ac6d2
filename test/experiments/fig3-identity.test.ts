/** The bar "X" of Figure 3: attention that returns the values. */
import { expect, it } from 'vitest';
import { returnValues } from '../../experiments/fig3/subject.ts';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { languageModelLoss } from '../../src/model/losses.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { expectGradients, randomTensor } from '../support/gradients.ts';

const backend = createReferenceBackend();
const sizes = { vocabSize: 11, dModel: 6, numLayers: 2, numHeads: 3, dFeedForward: 7, maxLength: 13 };

it('returns V, to the last bit, whatever the queries, keys and masks', async () => {
  const model = new Transformer(backend, { ...sizes, attention: 'exact' }, 3);
  returnValues(model);
  const [q, k] = [1, 2].map((seed) => randomTensor(backend, [2, 7, 3, 5], seed));
  const v = randomTensor(backend, [2, 7, 3, 11], 3);
  for (const attention of model.attentions) {
    const out = attention.attend(q, k, v, { causal: true, layout: 'blhd' });
    expect(out.shape).toEqual(v.shape);
    expect(await out.data()).toEqual(await v.data());
    out.dispose();
  }
  // The values outlive what was returned.
  expect((await v.data()).length).toBe(2 * 7 * 3 * 11);
});

it('is what a model attends by: its gradients are right, and depend on neither queries nor keys', async () => {
  const model = new Transformer(backend, { ...sizes, attention: 'exact' }, 3);
  returnValues(model);
  const ids = tensor(backend, Int32Array.of(1, 4, 10, 4, 7), [1, 5]);
  const targets = tensor(backend, Int32Array.of(4, 10, 4, 7, 2), [1, 5]);
  const loss = () => languageModelLoss(model, ids, targets).loss;
  const isUnused = (name: string) => /\.(query|key)\./.test(name);
  const all = [...model.parameters()];
  const used = all.filter(([name]) => !isUnused(name));
  expect(used.length).toBe(all.length - 8);
  await expectGradients(loss, Object.fromEntries(used), { samples: 7 });
  const unused = all.filter(([name]) => isUnused(name)).map(([, parameter]) => parameter);
  for (const gradient of valueAndGradients(loss, unused).gradients) {
    expect(Math.max(...Array.from(await gradient.data(), Math.abs))).toBe(0);
  }
});
