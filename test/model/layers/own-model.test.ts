/** Models of one's own: parameters by path, files, values of the layers, and what is refused. */
import { describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../../../src/backend/reference/backend.ts';
import { ConfigurationError, DataError, ShapeError } from '../../../src/base/errors.ts';
import { Random } from '../../../src/base/random.ts';
import {
  Block,
  Embedding,
  FeedForward,
  LayerNorm,
  Linear,
  Module,
  MultiHeadAttention,
} from '../../../src/entries/layers.ts';
import { decodeSafetensors, encodeSafetensors } from '../../../src/storage/safetensors.ts';
import { loadWeights, readWeights } from '../../../src/storage/weights.ts';
import { ops } from '../../../src/tensor/ops/index.ts';
import { keep, scope } from '../../../src/tensor/scope.ts';
import { valueAndGradients } from '../../../src/tensor/tape.ts';
import { type Tensor, tensor } from '../../../src/tensor/tensor.ts';
import { AdamW, globalNorm } from '../../../src/training/optimizer.ts';
import { learningRateAt } from '../../../src/training/schedule.ts';
import { expectGradients, randomTensor } from '../../support/gradients.ts';

const backend = createReferenceBackend();
const drawn = (seed = 1) => ({ random: new Random(seed) });
const favor = { type: 'favor', numFeatures: 5 } as const;

class Own extends Module {
  readonly table: Embedding;
  readonly scale = keep(tensor(backend, [2], [1]));
  readonly blocks: Block[];
  readonly #hidden = keep(tensor(backend, [3], [1]));
  /** The same tensor under a second name. */
  readonly tied: Tensor;

  constructor(seed = 1) {
    super();
    const initial = drawn(seed);
    this.table = new Embedding(backend, 5, 6, initial);
    this.blocks = [0, 1].map(() => {
      return new Block({
        attentionNorm: new LayerNorm(backend, 6),
        attention: new MultiHeadAttention(backend, { dModel: 6, numHeads: 2 }, favor, initial),
        feedForwardNorm: new LayerNorm(backend, 6),
        feedForward: new FeedForward(backend, { dModel: 6, dFeedForward: 7 }, initial),
      });
    });
    this.tied = this.table.weight;
  }

  forward(ids: Tensor): Tensor {
    const x = this.blocks.reduce((given, block) => block.forward(given, { causal: true }), this.table.forward(ids));
    return ops.multiply(ops.matmul(x, this.tied, { transposeB: true }), this.scale);
  }

  override dispose(): void {
    super.dispose();
    this.#hidden.dispose();
  }
}

describe('Module', () => {
  it('names parameters and buffers by their fields, each once', () => {
    const model = new Own();
    const names = [...model.parameters().keys()];
    const block = (i: number) =>
      [
        ...['attentionNorm.weight', 'attentionNorm.bias'],
        ...['query', 'key', 'value', 'output'].flatMap((part) => [
          `attention.${part}.weight`,
          `attention.${part}.bias`,
        ]),
        ...['feedForwardNorm.weight', 'feedForwardNorm.bias', 'feedForward.expand.weight', 'feedForward.expand.bias'],
        ...['feedForward.contract.weight', 'feedForward.contract.bias'],
      ].map((name) => `blocks.${i}.${name}`);
    // Fields with initial values come before those that the constructor sets.
    expect(names.sort()).toEqual(['table.weight', 'scale', ...block(0), ...block(1)].sort());
    expect([...model.buffers().keys()].map((name) => name.replace(/\.\w+$/, ''))).toContain('blocks.1.attention');
    expect(model.numParameters).toBe(5 * 6 + 1 + 2 * (4 * 6 + 4 * (6 * 6 + 6) + (7 * 6 + 7) + (6 * 7 + 6)));
  });

  it('frees all that it holds', () => {
    const before = backend.bytesAllocated;
    const model = new Own();
    expect(backend.bytesAllocated).toBeGreaterThan(before);
    model.dispose();
    expect(backend.bytesAllocated).toBe(before);
  });

  it('goes to a file and back', async () => {
    const [first, second] = [new Own(1), new Own(2)];
    const ids = tensor(backend, [1, 4, 2], [1, 3], 'int32');
    const result = async (model: Own) => [...(await scope(() => model.forward(ids)).data())];
    expect(await result(second)).not.toEqual(await result(first));
    const file = encodeSafetensors(await readWeights(first));
    loadWeights(second, decodeSafetensors(file, 'here').tensors, 'here');
    expect(await result(second)).toEqual(await result(first));
  });

  it('has gradients of every parameter', async () => {
    const model = new Own();
    const ids = tensor(backend, [1, 4, 2, 0, 3, 1], [2, 3], 'int32');
    const targets = tensor(backend, [4, 2, 1, 3, 1, 0], [2, 3], 'int32');
    const {
      'table.weight': table,
      scale,
      'blocks.1.attention.value.weight': value,
    } = Object.fromEntries(model.parameters());
    await expectGradients(
      () => ops.crossEntropy(model.forward(ids), targets),
      { table, scale, value },
      { samples: 5, step: 1e-4 },
    );
  });
});

describe('layers', () => {
  it('MultiHeadAttention is the formula, written with ops', async () => {
    const layer = new MultiHeadAttention(backend, { dModel: 6, numHeads: 2 }, { type: 'exact' }, drawn());
    const x = randomTensor(backend, [2, 5, 6], 3);
    const split = (part: Linear) => ops.permute(ops.reshape(part.forward(x), [2, 5, 2, 3]), [0, 2, 1, 3]);
    const scores = ops.scale(ops.matmul(split(layer.query), split(layer.key!), { transposeB: true }), 1 / Math.sqrt(3));
    const heads = ops.matmul(ops.softmax(scores), split(layer.value));
    const expected = await layer.output.forward(ops.reshape(ops.permute(heads, [0, 2, 1, 3]), [2, 5, 6])).data();
    for (const [i, value] of (await layer.forward(x).data()).entries()) expect(value).toBeCloseTo(expected[i], 12);
  });

  it('start as told', async () => {
    const deviationOf = async ({ weight }: { weight: Tensor }) => {
      const numbers = Array.from(await weight.data());
      return Math.sqrt(numbers.reduce((sum, value) => sum + value ** 2, 0) / numbers.length);
    };
    expect(await deviationOf(new Linear(backend, 100, 67, drawn()))).toBeCloseTo(0.1, 2);
    expect(await deviationOf(new Linear(backend, 100, 67, { ...drawn(), deviation: 0.5 }))).toBeCloseTo(0.5, 1);
    expect(await deviationOf(new Embedding(backend, 100, 67, drawn()))).toBeCloseTo(0.02, 3);
    expect(await deviationOf(new Linear(backend, 3, 5, { random: undefined }))).toBe(0);
  });

  it('refuse what does not fit, by name', () => {
    const heads = new MultiHeadAttention(backend, { dModel: 6, numHeads: 2 }, favor, drawn());
    const bad: [() => unknown, new (message: string) => Error, string][] = [
      [() => new Linear(backend, 3, 5, {} as never), ConfigurationError, 'Linear: give { random: new Random(seed) }'],
      [
        () => new Linear(backend, 3, 5, undefined as never),
        ConfigurationError,
        'The options of Linear must be a plain object',
      ],
      [() => new Linear(backend, 3, 5, { rnd: 1 } as never), ConfigurationError, 'Unknown key "rnd"'],
      [() => new Linear(backend, 3.5, 5, drawn()), ConfigurationError, 'Linear: dIn is 3.5; give a whole number'],
      [() => new Linear({} as never, 3, 5, drawn()), DataError, 'Linear: backend.name is undefined'],
      [
        () => new LayerNorm(backend, 3, { eps: 1 } as never),
        ConfigurationError,
        'Unknown key "eps" in the options of LayerNorm',
      ],
      [
        () => new MultiHeadAttention(backend, { dModel: 6, numHeads: 4 }, favor, drawn()),
        ConfigurationError,
        '4 heads do not divide dModel 6',
      ],
      [
        () => new MultiHeadAttention(backend, { dModel: 6, numHeads: 2 }, { type: 'favour' } as never, drawn()),
        ConfigurationError,
        'the attention',
      ],
      [
        () => new FeedForward(backend, { dModel: 6, dFeedForward: 7, activation: 'exp' as never }, drawn()),
        ConfigurationError,
        'Key "activation"',
      ],
      [
        () => heads.forward(randomTensor(backend, [5, 6], 1)),
        ShapeError,
        'x has shape [5, 6] where [batch, length, 6]',
      ],
      [() => heads.forward(undefined as never), DataError, 'MultiHeadAttention.forward: x is undefined'],
      [
        () => heads.forward(randomTensor(backend, [1, 5, 6], 1), { layout: 'bhld' } as never),
        ConfigurationError,
        'Unknown key "layout"',
      ],
      [() => new Embedding(backend, 2 ** 31 - 1, 1000, drawn()), ShapeError, 'has more than 1073741824 numbers'],
      [() => new Block({} as never), DataError, 'Block: layers.attentionNorm is undefined; give a layer.'],
    ];
    for (const [call, type, message] of bad) {
      expect(call).toThrow(type);
      expect(call).toThrow(message);
    }
  });
});

describe('AdamW of one’s own', () => {
  it('makes the updates of the formula and counts them', async () => {
    const weight = tensor(backend, [1, -2], [2, 1]);
    const optimizer = new AdamW(new Map([['weight', weight]]), { beta2: 0.9, epsilon: 1e-3, weightDecay: 0.5 });
    const gradient = tensor(backend, [0.5, -1.5], [2, 1]);
    let expected = [1, -2].map((x) => ({ x, m: 0, v: 0 }));
    for (const step of [1, 2, 3]) {
      optimizer.step([gradient], { learningRate: 0.1, gradientScale: 2 });
      expected = expected.map(({ x, m, v }, i) => {
        const g = [1, -3][i];
        const [nextM, nextV] = [0.9 * m + 0.1 * g, 0.9 * v + 0.1 * g * g];
        const [mean, variance] = [nextM / (1 - 0.9 ** step), nextV / (1 - 0.9 ** step)];
        return { x: x - 0.1 * (mean / (Math.sqrt(variance) + 1e-3) + 0.5 * x), m: nextM, v: nextV };
      });
    }
    expect(optimizer.numSteps).toBe(3);
    for (const [i, value] of (await weight.data()).entries()) expect(value).toBeCloseTo(expected[i].x, 12);
  });

  it('continues from a saved state as if it had never stopped', async () => {
    const run = async (stops: boolean) => {
      const layer = new Linear(backend, 3, 2, drawn());
      const parameters = layer.parameters();
      let optimizer = new AdamW(parameters);
      const x = randomTensor(backend, [5, 3], 2);
      for (let step = 0; step < 4; step++) {
        if (stops && step === 2) {
          const [saved, numSteps] = [await optimizer.save(), optimizer.numSteps];
          optimizer.dispose();
          optimizer = new AdamW(parameters);
          optimizer.load(saved, 'here', numSteps);
        }
        const loss = () => ops.mean(ops.multiply(layer.forward(x), layer.forward(x)));
        optimizer.step(valueAndGradients(loss, [...parameters.values()]).gradients, { learningRate: 0.1 });
      }
      return [...(await layer.weight.data())];
    };
    expect(await run(true)).toEqual(await run(false));
  });

  it('refuses what does not fit, and then changes nothing', async () => {
    const parameters = new Map([
      ['a', tensor(backend, [1, 2], [2])],
      ['b', tensor(backend, [3], [1])],
    ]);
    const optimizer = new AdamW(parameters);
    const good = tensor(backend, [1, 1], [2]);
    expect(() => optimizer.step([good], { learningRate: 1 })).toThrow('1 gradients are given for 2 parameters');
    expect(() => optimizer.step([good, good], { learningRate: 1 })).toThrow(ShapeError);
    expect(() => optimizer.step([good, good], { rate: 1 } as never)).toThrow(ConfigurationError);
    expect(() => optimizer.step([good, good], {} as never)).toThrow('learningRate is undefined');
    expect(() => new AdamW(parameters, { decay: 1 } as never)).toThrow('Unknown key "decay" in the options of AdamW');
    expect(() => new AdamW(parameters, { beta1: 2 })).toThrow(ConfigurationError);
    expect(() => new AdamW([good] as never)).toThrow(
      'AdamW: parameters is an Array; give a Map from strings to a Tensor.',
    );
    expect([...(await parameters.get('a')!.data()), optimizer.numSteps]).toEqual([1, 2, 0]);
    expect(await globalNorm([tensor(backend, [3], [1]), tensor(backend, [4], [1])])).toBe(5);
  });

  it('takes its rate from a schedule, whose options are checked', () => {
    expect(learningRateAt({ learningRate: 2, steps: 9 }, 5)).toBe(2);
    expect(learningRateAt({ learningRate: 1, steps: 5, schedule: { kind: 'cosine' } }, 4)).toBeCloseTo(0.1, 12);
    expect(learningRateAt({ learningRate: 1, steps: 5, schedule: { kind: 'linear' } }, 4)).toBe(0);
    expect(() => learningRateAt({ learningRate: 1, steps: 5, warmup: 1 } as never, 0)).toThrow(ConfigurationError);
    expect(() => learningRateAt({ learningRate: 1, steps: 5, schedule: { kind: 'cos' } } as never, 0)).toThrow(
      ConfigurationError,
    );
    expect(() => learningRateAt({ learningRate: 1, steps: 5 }, -1)).toThrow(DataError);
  });
});
