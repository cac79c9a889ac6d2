import { afterAll, describe, expect, it } from 'vitest';
import { denseSequences, segmentSequences } from '../../src/attention/packing.ts';
import { exponentialEstimator } from '../../src/backend/projection-sizes.ts';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { createBackend } from '../../src/entries/performers.ts';
import { favor } from '../../src/tensor/ops/attention/favor.ts';
import { favorCausal } from '../../src/tensor/ops/attention/favor-causal.ts';
import { softmaxAttention } from '../../src/tensor/ops/attention/softmax-attention.ts';
import { dropout } from '../../src/tensor/ops/dropout.ts';
import { activation, add, multiply, scale } from '../../src/tensor/ops/elementwise.ts';
import { embedding } from '../../src/tensor/ops/embedding.ts';
import { layerNorm } from '../../src/tensor/ops/layer-norm.ts';
import { reshape } from '../../src/tensor/ops/layout.ts';
import { linear } from '../../src/tensor/ops/linear.ts';
import { softmaxCrossEntropy, softmaxKlDivergence, squaredError } from '../../src/tensor/ops/losses.ts';
import { rotary } from '../../src/tensor/ops/rotary.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { expectGradients, randomTensor } from '../support/gradients.ts';

const backend = createReferenceBackend();
const compiled = await Promise.all((['native', 'wasm'] as const).map((name) => createBackend({ backend: name })));
afterAll(() => {
  for (const each of compiled) each.close();
});
const random = (shape: number[], seed: number) => randomTensor(backend, shape, seed);
/** Weighs each output element differently, so that gradients cannot cancel or be mixed up. */
const weighed = (x: Tensor) => multiply(x, random([...x.shape], 99));

describe('adjoints against central differences', () => {
  it('add, also of a tensor to itself', async () => {
    const [a, b] = [random([3, 5], 1), random([3, 5], 2)];
    await expectGradients(() => weighed(add(add(a, b), a)), { a, b });
  });

  it('multiply, also of a tensor by itself', async () => {
    const [a, b] = [random([3, 5], 1), random([3, 5], 2)];
    await expectGradients(() => weighed(multiply(multiply(a, b), a)), { a, b });
  });

  it('scale and reshape', async () => {
    const a = random([3, 5], 1);
    await expectGradients(() => weighed(reshape(scale(a, -1.7), [5, 3])), { a });
  });

  it('linear, with and without bias, over three axes', async () => {
    const [x, weight, bias] = [random([2, 3, 5], 1), random([7, 5], 2), random([7], 3)];
    await expectGradients(() => weighed(linear(x, weight, bias)), { x, weight, bias });
    await expectGradients(() => weighed(linear(x, weight)), { x, weight });
  });

  for (const kind of ['relu', 'gelu', 'geluTanh', 'tanh'] as const) {
    it(kind, async () => {
      const x = random([3, 5], 1);
      await expectGradients(() => weighed(activation(x, kind)), { x }, { step: 1e-4 });
    });
  }

  it('layerNorm', async () => {
    const [x, gamma, beta] = [random([3, 7], 1), random([7], 2), random([7], 3)];
    await expectGradients(() => weighed(layerNorm(x, gamma, beta)), { x, gamma, beta });
  });

  it('embedding, with repeated ids', async () => {
    const table = random([5, 3], 1);
    const ids = tensor(backend, Int32Array.of(4, 0, 4, 1, 2, 3), [2, 3]);
    await expectGradients(() => weighed(embedding(table, ids)), { table });
  });

  it('rotary, from an offset', async () => {
    const x = random([2, 3, 5, 4], 1);
    await expectGradients(() => weighed(rotary(x, { offset: 11 })), { x });
    const stretches = [
      { row: 0, start: 0, length: 2 },
      { row: 0, start: 2, length: 1 },
      { row: 1, start: 0, length: 3 },
    ];
    await expectGradients(() => weighed(rotary(x, { offset: 5, stretches })), { x });
  });

  it('dropout', async () => {
    const x = random([5, 7], 1);
    await expectGradients(() => weighed(dropout(x, { rate: 0.4, seed: [1, 2], stream: 3 })), { x });
  });

  it('softmaxCrossEntropy, as the root and under another op', async () => {
    const x = random([5, 3], 1);
    const identity = tensor(backend, Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), [3, 3]);
    const targets = tensor(backend, Int32Array.of(2, 0, -1, 1, 1), [5]);
    // linear makes a copy, since the tracked logits are overwritten.
    const rows = () => softmaxCrossEntropy(linear(x, identity), targets, 1 / 4).loss;
    await expectGradients(rows, { x });
    await expectGradients(() => weighed(rows()), { x });
  });
});

describe('losses against a teacher', () => {
  const backends = [backend, ...compiled];

  it('squaredError, as the root and under another op', async () => {
    const [x, target] = [random([2, 3, 5], 1), random([2, 3, 5], 2)];
    await expectGradients(() => squaredError(x, target, 0.3), { x });
    await expectGradients(() => weighed(squaredError(x, target, 0.3)), { x });
  });

  it('softmaxKlDivergence, as the root and under another op', async () => {
    const [x, target] = [random([5, 3], 1), random([5, 3], 2)];
    // The tracked targets are overwritten, so each run has its own.
    const rows = () => softmaxKlDivergence(x, scale(target, 1), 2.5, 0.7).loss;
    await expectGradients(rows, { x });
    await expectGradients(() => weighed(rows()), { x });
  });

  it('have the values that their formulas have, on every backend', async () => {
    for (const each of backends) {
      const [x, target] = [
        [1, 2, -1, 0, 3, 1],
        [1, 0, 1, 0, 0, 1],
      ].map((rows) => tensor(each, Float32Array.from(rows), [2, 3]));
      const error = squaredError(x, target, 0.5);
      expect([...(await error.data())]).toEqual([4, 4.5]);
      const { loss, correct } = softmaxKlDivergence(x, target, 2, 3);
      const softmax = (row: number[]) => {
        const powers = row.map((logit) => Math.exp(logit / 2));
        return powers.map((power) => power / powers.reduce((a, b) => a + b));
      };
      const divergence = (p: number[], q: number[]) => p.reduce((sum, pi, i) => sum + pi * Math.log(pi / q[i]), 0);
      const expected = [
        12 * divergence(softmax([1, 0, 1]), softmax([1, 2, -1])),
        12 * divergence(softmax([0, 0, 1]), softmax([0, 3, 1])),
      ];
      for (const [row, value] of (await loss.data()).entries())
        expect(value).toBeCloseTo(expected[row], each === backend ? 14 : 5);
      expect([...(await correct.data())]).toEqual([0, 0]);
    }
  });

  it('add up when they are parts of one loss', async () => {
    const [x, target] = [random([5, 3], 1), random([5, 3], 2)];
    const parts = () => [squaredError(x, target, 0.3), softmaxKlDivergence(x, scale(target, 1)).loss, scale(x, 2)];
    const { value, gradients } = valueAndGradients(parts, [x]);
    expect(value.map(({ shape }) => shape)).toEqual([[5], [5], [5, 3]]);
    const alone = [0, 1, 2].map((part) => valueAndGradients(() => parts()[part], [x]).gradients[0].data());
    const sum = (await Promise.all(alone)).reduce((total, part) => total.map((value, i) => value + part[i]));
    (await gradients[0].data()).forEach((value, i) => {
      expect(value).toBeCloseTo(sum[i], 14);
    });
  });
});

describe('attention adjoints against central differences', () => {
  const sizes = { bhld: [2, 3, 5, 4], blhd: [2, 5, 3, 4] } as const;
  const values = { bhld: [2, 3, 5, 7], blhd: [2, 5, 3, 7] } as const;
  // Every seventh element: a stride that meets all rows and columns.
  const samples = 17;
  const masks = {
    dense: () => ({ sequences: denseSequences(backend, 2, 5, 5) }),
    masked: () => ({
      sequences: denseSequences(backend, 2, 5, 5),
      keyMask: tensor(backend, Float32Array.of(0, 1, 1, 0, 1, 1, 0, 1, 1, 1), [2, 5]),
    }),
    packed: () => ({
      sequences: segmentSequences(backend, [Int32Array.of(0, 0, 1, 1, 1), Int32Array.of(4, 4, 4, -1, -1)]),
    }),
  };
  for (const layout of ['bhld', 'blhd'] as const) {
    for (const [maskName, mask] of Object.entries(masks)) {
      const given = () => ({
        queries: random([...sizes[layout]], 1),
        keys: random([...sizes[layout]], 2),
        values: random([...values[layout]], 3),
      });
      const features = {
        ...exponentialEstimator(3),
        ...{ dHead: 4, weight: 1 / 3, stabiliser: 0, projection: random([3, 4], 4), bias: random([3], 5) },
      };
      for (const causal of [false, true]) {
        it(`exact, ${layout}, ${maskName}, ${causal ? 'causal' : 'bidirectional'}`, async () => {
          const inputs = given();
          const loss = () => weighed(softmaxAttention({ ...inputs, layout, ...mask() }, { causal }));
          await expectGradients(loss, inputs, { samples });
        });
        it(`favor, ${layout}, ${maskName}, ${causal ? 'causal' : 'bidirectional'}`, async () => {
          const inputs = given();
          const attend = causal ? favorCausal : favor;
          await expectGradients(() => weighed(attend({ ...inputs, layout, ...mask() }, features)), inputs, { samples });
        });
      }
    }
  }
});

describe('errors', () => {
  it('name the tensor that does not fit', () => {
    expect(() => linear(random([2, 3], 1), random([5, 4], 2))).toThrow(
      'linear: the last axis of x has shape [3] where [4]',
    );
    expect(() => add(random([2], 1), random([3], 2))).toThrow('add: shapes [2] and [3] do not broadcast');
    expect(() => rotary(random([1, 1, 1, 3], 1))).toThrow('even dHead; got 3');
  });
});
