import { describe, expect, it } from 'vitest';
import type { TransformerOptions } from '../../src/model/configuration.ts';
import { Dropout } from '../../src/model/layers/dropout.ts';
import { pool } from '../../src/model/layers/pooling.ts';
import { classificationLoss } from '../../src/model/losses.ts';
import { multiply } from '../../src/tensor/ops/elementwise.ts';
import { weightedSum } from '../../src/tensor/ops/reduce.ts';
import { scope } from '../../src/tensor/scope.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { expectGradients, randomTensor } from '../support/gradients.ts';
import { backend, drawnTransformer, ids, numbers } from '../support/tiny-transformer.ts';

const tiny: TransformerOptions = {
  vocabSize: 11,
  dModel: 6,
  numLayers: 1,
  numHeads: 3,
  dFeedForward: 7,
  maxLength: 13,
  causal: false,
  numClasses: 5,
  attention: { type: 'favor', numFeatures: 7 },
};

const model = (options: Partial<TransformerOptions> = {}) => drawnTransformer({ ...tiny, ...options });

describe('pool', () => {
  const [batch, length, width] = [3, 5, 2];
  const x = randomTensor(backend, [batch, length, width], 1);
  const segments = [
    [-1, 0, 0, 0, -1],
    [0, 0, 0, 0, 0],
    [-1, -1, -1, -1, -1],
  ];
  const keyMask = [
    [1, 1, 0, 1, 1],
    [0, 1, 1, 1, 0],
    [1, 1, 1, 1, 1],
  ];
  const positions = [[1, 3], [1, 2, 3], []];

  it.each([
    ['mean', (all: number[]) => all.reduce((sum, value) => sum + value, 0) / Math.max(1, all.length)],
    ['first', (all: number[]) => all[0] ?? 0],
    ['last', (all: number[]) => all.at(-1) ?? 0],
  ] as const)('%s, of the positions that count', async (pooling, expected) => {
    const data = await x.data();
    const result = await numbers(() => pool(x, pooling, { segments, keyMask }));
    for (let b = 0; b < batch; b++) {
      for (let c = 0; c < width; c++) {
        const column = positions[b].map((i) => data[(b * length + i) * width + c]);
        // The weights of the mean are float32.
        expect(Math.abs(result[b * width + c] - expected(column))).toBeLessThan(1e-6);
      }
    }
    const all = await numbers(() => pool(x, pooling));
    const first = Array.from({ length }, (_, i) => data[i * width]);
    expect(Math.abs(all[0] - expected(first))).toBeLessThan(1e-6);
  });

  it('has the gradients of central differences', async () => {
    const weights = randomTensor(backend, [batch, length], 2);
    const [x, scales] = [randomTensor(backend, [batch, length, width], 3), randomTensor(backend, [batch, width], 4)];
    await expectGradients(() => multiply(weightedSum(x, weights), scales), { x });
  });

  it('refuses a mask that it cannot read', () => {
    expect(() => pool(x, 'mean', { keyMask: tensor(backend, new Float32Array(15), [3, 5]) })).toThrow('as arrays');
  });
});

describe('classificationLoss', () => {
  for (const pooling of ['mean', 'first', 'last'] as const) {
    it(`has the gradients of central differences, pooling ${pooling}`, async () => {
      const made = model({ pooling });
      const segments = [
        [0, 0, 0, 0, 0],
        [0, 0, 0, -1, -1],
      ];
      const loss = () =>
        classificationLoss(made, ids([1, 4, 10, 4, 7, 2, 0, 9, 9, 3], 2), ids([4, 0], 2), {
          segments,
          weight: 1 / 2,
          dropout: new Dropout(0.3, [5, 0]),
        }).loss;
      const parameters = Object.fromEntries([...made.parameters()]);
      expect(parameters['classifier.weight'].shape).toEqual([5, 6]);
      await expectGradients(loss, parameters, { samples: 3 });
      made.dispose();
    });

    it(`is that of the sequence alone where it is padded, pooling ${pooling}`, async () => {
      const made = model({ pooling, positions: 'learned' });
      const rows = [
        [3, 1, 4],
        [2, 7, 1, 8, 2],
        [9, 9],
      ];
      const padded = rows.flatMap((row) => [...row, ...new Array(7 - row.length).fill(6)]);
      const segments = rows.map((row) => Array.from({ length: 7 }, (_, i) => (i < row.length ? 0 : -1)));
      const classes = [1, 4, 0];
      const together = await numbers(
        () => classificationLoss(made, ids(padded, 3), ids(classes, 3), { segments }).loss,
      );
      for (const [i, row] of rows.entries()) {
        const [alone] = await numbers(() => classificationLoss(made, ids(row), ids([classes[i]])).loss);
        expect(Math.abs(together[i] - alone)).toBeLessThan(1e-6);
      }
      expect(new Set(together.map((loss) => loss.toFixed(3))).size).toBe(3);
      made.dispose();
    });
  }

  it('is −log softmax of the logits, and correct where the class has the largest', async () => {
    const made = model();
    const row = ids([3, 1, 4, 1, 5]);
    const logits = await numbers(() => made.classify(made.forward(row)));
    expect(logits).toHaveLength(5);
    const best = logits.indexOf(Math.max(...logits));
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
    for (let target = 0; target < 5; target++) {
      const { loss, correct } = scope(() => classificationLoss(made, row, ids([target])));
      expect((await loss.data())[0]).toBeCloseTo(Math.log(total) - logits[target], 10);
      expect((await correct.data())[0]).toBe(target === best ? 1 : 0);
    }
    made.dispose();
  });

  it('needs a classification head', () => {
    const made = model({ numClasses: undefined });
    expect(() => classificationLoss(made, ids([1]), ids([1]))).toThrow('has no classification head; set "numClasses"');
  });
});
