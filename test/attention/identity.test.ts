/** The bar "X" of Figure 3: attention that returns the values. */
import { expect, it } from 'vitest';
import { createAttention } from '../../src/attention/attention.ts';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { Random } from '../../src/base/random.ts';
import { languageModelLoss } from '../../src/model/losses.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { multiply } from '../../src/tensor/ops/elementwise.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { expectGradients, randomTensor } from '../support/gradients.ts';

const backend = createReferenceBackend();
const attention = createAttention(
  backend,
  { type: 'identity' },
  { numHeads: 1, dHead: 5, maxLength: 64 },
  new Random(0),
);

it('returns V, to the last bit, whatever the queries, keys and masks', async () => {
  const [q, k] = [1, 2].map((seed) => randomTensor(backend, [2, 7, 3, 5], seed));
  const v = randomTensor(backend, [2, 7, 3, 11], 3);
  for (const causal of [true, false]) {
    const out = attention.attend(q, k, v, { causal, layout: 'blhd' });
    expect(out.shape).toEqual(v.shape);
    expect(await out.data()).toEqual(await v.data());
    out.dispose();
  }
  // The values outlive what was returned.
  expect((await v.data()).length).toBe(2 * 7 * 3 * 11);
});

it('passes the gradient to V as it comes, and none to Q and K', async () => {
  const [q, k, v, weight] = [1, 2, 3, 4].map((seed) => randomTensor(backend, [1, 2, 7, 5], seed));
  const { gradients } = valueAndGradients(() => multiply(attention.attend(q, k, v), weight), [q, k, v]);
  const zeros = new Float64Array(v.size);
  const [dQ, dK, dV] = await Promise.all(gradients.map((gradient) => gradient.data()));
  expect(Array.from(dQ)).toEqual(Array.from(zeros));
  expect(Array.from(dK)).toEqual(Array.from(zeros));
  expect(Array.from(dV)).toEqual(Array.from(await weight.data()));
});

it('is what a model attends by: its gradients are right, and depend on neither queries nor keys', async () => {
  const sizes = { vocabSize: 11, dModel: 6, numLayers: 2, numHeads: 3, dFeedForward: 7, maxLength: 13 };
  const model = new Transformer(backend, { ...sizes, attention: 'identity' }, 3);
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

it('says what it cannot do', () => {
  const [q, v] = [randomTensor(backend, [1, 2, 7, 5], 1), randomTensor(backend, [1, 2, 6, 5], 2)];
  expect(() => attention.attend(q, v, v)).toThrow('(1 × 2 × 7) must be theirs (1 × 2 × 6)');
  expect(() => attention.createState({ batch: 1, heads: 2, dHead: 5, dValue: 5 })).toThrow('cannot decode');
});
