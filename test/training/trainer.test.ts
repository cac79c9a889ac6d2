import { describe, expect, it, vi } from 'vitest';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { Random, streams } from '../../src/base/random.ts';
import type { Batch } from '../../src/data/batches/windows.ts';
import { Dropout } from '../../src/model/layers/dropout.ts';
import type { LossFunction } from '../../src/model/losses.ts';
import { languageModelLoss } from '../../src/model/losses.ts';
import { scale } from '../../src/tensor/ops/elementwise.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { batchTensors } from '../../src/training/batch-tensors.ts';
import type { TrainingOptions } from '../../src/training/configuration.ts';
import { evaluate } from '../../src/training/evaluate.ts';
import { AdamW, globalNorm } from '../../src/training/optimizer.ts';
import { type StepResult, Trainer } from '../../src/training/trainer.ts';
import { countingData, tinyConfiguration, tinyModel, VOCAB } from './support.ts';

const backend = createReferenceBackend();

async function parametersOf(model: ReturnType<typeof tinyModel>): Promise<Map<string, number[]>> {
  const all = new Map<string, number[]>();
  for (const [name, tensor] of model.parameters()) all.set(name, [...(await tensor.data())]);
  return all;
}

async function steps(trainer: Trainer, count: number): Promise<StepResult[]> {
  const results: StepResult[] = [];
  for (let i = 0; i < count; i++) results.push(await trainer.step());
  return results;
}

function tinyTrainer(options: TrainingOptions = {}, loss?: LossFunction): Trainer {
  const configuration = tinyConfiguration(options);
  return new Trainer({ model: tinyModel(backend, 3), data: countingData(), configuration, loss });
}

describe('Trainer', () => {
  it('learns: the loss starts near log(vocabulary) and falls by more than half', async () => {
    const configuration = tinyConfiguration({ steps: 300, schedule: { kind: 'cosine' }, learningRate: 0.03 });
    const model = tinyModel(backend, 3, { dModel: 16, dropout: 0 });
    const trainer = new Trainer({ model, data: countingData(), configuration });
    const losses = (await steps(trainer, 300)).map(({ loss }) => loss);
    expect(losses[0]).toBeCloseTo(Math.log(VOCAB), 0);
    const last = losses.slice(-10).reduce((a, b) => a + b) / 10;
    expect(last).toBeLessThan(losses[0]! / 2);
  });

  it('makes the update of the written-out AdamW with clipping, decay on matrices only', async () => {
    const configuration = tinyConfiguration({ clip: 0.25, weightDecay: 0.3, learningRate: 0.02, warmupSteps: 4 });
    const model = tinyModel(backend, 3, { dropout: 0.2 });
    const before = await parametersOf(model);
    const batch = countingData().batchAt(0);
    const random = new Random(3, streams.dropout).fork(0).fork(0);
    const dropout = new Dropout(0.2, [random.uint32(), random.uint32()]);
    const { value, gradients } = valueAndGradients(() => {
      const [inputs, targets] = batchTensors(model, batch);
      return languageModelLoss(model, inputs, targets, { dropout, weight: 1 / 14 }).loss;
    }, [...model.parameters().values()]);
    const loss = [...(await value.data())].reduce((a, b) => a + b, 0);
    const flat = await Promise.all(gradients.map(async (gradient) => [...(await gradient.data())]));
    const norm = Math.hypot(...flat.flat());
    expect(norm).toBeGreaterThan(0.25);

    const result = await new Trainer({ model, data: countingData(), configuration }).step();
    expect(result).toMatchObject({ step: 1, tokens: 14, learningRate: 0.005 });
    expect(result.loss).toBeCloseTo(loss, 12);
    expect(result.gradientNorm).toBeCloseTo(norm, 12);
    const after = await parametersOf(model);
    [...model.parameters()].forEach(([name, { shape }], p) => {
      flat[p]!.forEach((gradient, i) => {
        const g = (gradient * 0.25) / norm;
        // At the first update the corrected moments are g and g².
        const decay = shape.length >= 2 ? 0.3 : 0;
        const old = before.get(name)![i]!;
        expect(after.get(name)![i]).toBeCloseTo(old - 0.005 * (g / (Math.abs(g) + 1e-9) + decay * old), 10);
      });
    });
  });

  it('accumulates micro-batches to the gradient of one large batch, however their targets are spread', async () => {
    const whole = countingData(4, 7).batchAt(0);
    const masked: Batch = { ...whole, targets: whole.targets.map((target, i) => (i < 9 ? -1 : target)) };
    const halves = [0, 1].map((half): Batch => {
      const cut = (ids: Int32Array): Int32Array => ids.slice(half * 14, half * 14 + 14);
      return { inputs: cut(masked.inputs), targets: cut(masked.targets), batchSize: 2, length: 7 };
    });
    const run = async (batches: Batch[], accumulate: number) => {
      const model = tinyModel(backend, 3, { dropout: 0 });
      const data = { batchAt: (index: number) => batches[index]! };
      const result = await new Trainer({ model, data, configuration: tinyConfiguration({ accumulate }) }).step();
      return { result, parameters: await parametersOf(model) };
    };
    const one = await run([masked], 1);
    const two = await run(halves, 2);
    expect(two.result.tokens).toBe(19);
    expect(two.result.loss).toBeCloseTo(one.result.loss, 12);
    expect(two.result.accuracy).toBe(one.result.accuracy);
    expect(two.result.gradientNorm).toBeCloseTo(one.result.gradientNorm, 12);
    for (const [name, values] of one.parameters) {
      for (const [i, value] of values.entries()) expect(two.parameters.get(name)![i]).toBeCloseTo(value, 9);
    }
  });

  it('redraws the features at multiples of the interval, from the seed and the step alone', async () => {
    const trainer = tinyTrainer();
    const projection = async (model = trainer.model): Promise<number[]> => [
      ...(await model.buffers().get('blocks.1.attention.projection')!.data()),
    ];
    const initial = await projection();
    await steps(trainer, 5);
    expect(await projection()).toEqual(initial);
    await trainer.step();
    const second = await projection();
    expect(second).not.toEqual(initial);
    await steps(trainer, 5);
    const third = await projection();
    expect(third).not.toEqual(second);
    const fresh = tinyModel(backend, 77);
    fresh.redraw(3, 2);
    expect(await projection(fresh)).toEqual(third);
  });

  it('draws new dropout masks for every step and micro-batch, the same when repeated', async () => {
    const seen: string[] = [];
    const loss: LossFunction = (model, inputs, targets, options) => {
      seen.push(String(options.dropout!.seed));
      return languageModelLoss(model, inputs, targets, options);
    };
    await steps(tinyTrainer({ accumulate: 3 }, loss), 2);
    await steps(tinyTrainer({ accumulate: 3 }, loss), 2);
    expect(new Set(seen.slice(0, 6)).size).toBe(6);
    expect(seen.slice(6)).toEqual(seen.slice(0, 6));
  });

  it('stops at a loss that is not finite, naming the step and the fix, and leaves the parameters', async () => {
    let calls = 0;
    const loss: LossFunction = (model, inputs, targets, options) => {
      const result = languageModelLoss(model, inputs, targets, options);
      return ++calls < 3 ? result : { ...result, loss: scale(result.loss, Number.NaN) };
    };
    const trainer = tinyTrainer({}, loss);
    await steps(trainer, 2);
    const before = await parametersOf(trainer.model);
    await expect(trainer.step()).rejects.toThrow(
      'The loss is NaN at step 3: lower learningRate (now 0.01) or raise warmupSteps.',
    );
    expect(trainer.completedSteps).toBe(2);
    expect(await parametersOf(trainer.model)).toEqual(before);
  });

  it('stops at a gradient that is not finite though the loss is', async () => {
    const loss: LossFunction = (model, inputs, targets, options) => {
      // Forward the factors cancel; backward the first one meets a gradient that overflows.
      const result = languageModelLoss(model, inputs, targets, options);
      return { ...result, loss: scale(scale(result.loss, 1e-300), 1e300) };
    };
    const exploding: LossFunction = (model, inputs, targets, options) =>
      languageModelLoss(model, inputs, targets, { ...options, weight: 1e300 });
    const fine = tinyTrainer({ clip: null }, loss);
    expect((await fine.step()).loss).toBeLessThan(4);
    const trainer = tinyTrainer({ clip: null }, exploding);
    await expect(trainer.step()).rejects.toThrow(
      /^The gradient is Infinity at step 1: set clip \(0\.5, say\) or lower learningRate \(now 0\.01\)/,
    );
  });

  it('refuses tokens outside the vocabulary before any kernel sees them', async () => {
    for (const key of ['inputs', 'targets'] as const) {
      const batch = countingData().batchAt(0);
      batch[key][4] = VOCAB;
      const data = { batchAt: () => batch };
      const trainer = new Trainer({ model: tinyModel(backend, 3), data, configuration: tinyConfiguration() });
      await expect(trainer.step()).rejects.toThrow(/^Token 13 .*outside the vocabulary of 13/);
    }
  });

  it('lets timers run between steps, however short these are', async () => {
    let time = performance.now();
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
      time += 3;
      return time;
    });
    const turns = vi.spyOn(globalThis, 'setImmediate');
    try {
      await steps(tinyTrainer(), 12);
      // Two looks at the clock a step, 3 ms apart: 72 ms of work, with a pause after every 10 to 12.
      expect(turns.mock.calls.length).toBeGreaterThanOrEqual(5);
    } finally {
      turns.mockRestore();
      clock.mockRestore();
    }
  });
});

describe('AdamW', () => {
  it('saves and loads its moments', async () => {
    const model = tinyModel(backend, 3);
    const optimizer = new AdamW(model.parameters());
    const { gradients } = valueAndGradients(() => {
      const [inputs, targets] = batchTensors(model, countingData().batchAt(0));
      return languageModelLoss(model, inputs, targets).loss;
    }, [...model.parameters().values()]);
    optimizer.step(gradients, { learningRate: 0.1, gradientScale: 0.5 });
    const saved = await optimizer.save();
    const first = saved.get('blocks.0.feedForward.inner.weight.first') ?? [...saved.values()][0]!;
    expect(saved.size).toBe(2 * model.parameters().size);
    expect(Math.hypot(...(first.data as Float64Array))).toBeGreaterThan(0);
    const other = new AdamW(model.parameters());
    other.load(saved, 'o', 1);
    expect(other.numSteps).toBe(1);
    expect(await other.save()).toEqual(saved);
    const name = [...saved.keys()][3]!;
    saved.delete(name);
    expect(() => other.load(saved, 'o.safetensors', 2)).toThrow(`o.safetensors lacks the tensor ${name}`);
    saved.set('extra', first).set(name, first);
    expect(() => other.load(saved, 'o', 2)).toThrow(/o holds the tensor extra, which this model does not have/);
  });

  it('computes the global norm over all tensors', async () => {
    const [a, b] = [...tinyModel(backend, 3).parameters().values()];
    expect(await globalNorm([a!, b!])).toBeCloseTo(Math.hypot(...(await a!.data()), ...(await b!.data())), 12);
  });
});

describe('evaluate', () => {
  it('averages over tokens, not batches, and converts to perplexity and bits', async () => {
    const model = tinyModel(backend, 3);
    const one = countingData(2, 7).batchAt(0);
    const two = { ...countingData(3, 5).batchAt(1) };
    two.targets.fill(-1, 0, 4);
    const nats: number[] = [];
    let hits = 0;
    for (const batch of [one, two]) {
      const [inputs] = batchTensors(model, batch);
      const logits = await model.logits(model.forward(inputs)).data();
      batch.targets.forEach((target, row) => {
        if (target < 0) return;
        const values = [...logits.slice(row * VOCAB, row * VOCAB + VOCAB)];
        nats.push(Math.log(values.reduce((sum, x) => sum + Math.exp(x), 0)) - values[target]!);
        if (values.indexOf(Math.max(...values)) === target) hits++;
      });
    }
    const total = nats.reduce((a, b) => a + b);
    const result = await evaluate(model, [one, two], { characters: 50 });
    expect(result.tokens).toBe(25);
    expect(result.loss).toBeCloseTo(total / 25, 12);
    expect(result.perplexity).toBeCloseTo(Math.exp(total / 25), 10);
    expect(result.bitsPerToken).toBeCloseTo(total / 25 / Math.LN2, 12);
    expect(result.bitsPerCharacter).toBeCloseTo(total / 50 / Math.LN2, 12);
    expect(result.accuracy).toBe(hits / 25);
    expect((await evaluate(model, [one])).bitsPerCharacter).toBeUndefined();
  });

  it('refuses to average over nothing', async () => {
    await expect(evaluate(tinyModel(backend, 3), [])).rejects.toThrow(/nothing to evaluate on/);
  });
});
