import { describe, expect, it } from 'vitest';
import { approximationReport } from '../../../src/attention/inspect/report.ts';
import { Random } from '../../../src/base/random.ts';
import type { TransformerOptions } from '../../../src/model/configuration.ts';
import { type AttentionChoice, Transformer } from '../../../src/model/transformer.ts';
import { compareModels } from '../../../src/pretrained/conversion/comparison.ts';
import { conversionReport } from '../../../src/pretrained/conversion/report.ts';
import type { MeasuredBatch } from '../../../src/pretrained/conversion/types.ts';
import { tensor } from '../../../src/tensor/tensor.ts';
import { backend, tinySizes } from '../../support/tiny-transformer.ts';

const tiny: TransformerOptions = { ...tinySizes, causal: false, outputBias: true, attention: 'exact' };

/** @param sharp the one layer whose queries and keys are long, so that few features estimate its attention badly */
function model(sharp = -1, options: Partial<TransformerOptions> = {}): Transformer {
  const made = new Transformer(backend, { ...tiny, ...options }, 0, { initialise: false });
  const random = new Random(5);
  for (const [name, { storage, size }] of made.parameters()) {
    const isNorm = /[nN]orm\.weight$/.test(name);
    const isSharpened = sharp >= 0 && /attention\.(query|key)\./.test(name);
    const scale = !isSharpened ? 0.5 : name.startsWith(`blocks.${sharp}.`) ? 1 : 0.05;
    const numbers = Float64Array.from(
      { length: size },
      () => (isNorm ? 1 : 0) + (isNorm ? 0.1 : scale) * random.normal(),
    );
    backend.write(storage, numbers);
  }
  return made;
}

const batches: MeasuredBatch[] = [
  {
    input: Int32Array.of(3, 1, 4, 1, 5, 9, 2, 6, 5, 3),
    shape: [2, 5],
    options: { segments: [Int32Array.of(0, 0, 0, 0, 0), Int32Array.of(0, 0, 0, -1, -1)] },
    targets: Int32Array.of(-1, 1, -1, 10, -1, 9, -1, -1, -1, -1),
  },
  { input: Int32Array.of(2, 7, 1, 8, 2, 8, 1), shape: [1, 7], targets: Int32Array.of(2, -1, -1, -1, -1, 8, -1) },
];

/** What a fresh model gives under `choice`: pooled hidden states by sequence, hits and mean loss of the targets. */
async function direct(choice: AttentionChoice, seed: number) {
  const made = model();
  made.replaceAttention(choice, seed);
  const embeddings: number[][] = [];
  let [hits, nats, count] = [0, 0, 0];
  for (const { input, shape, options, targets } of batches) {
    const [batch, length] = shape;
    const ids = tensor(backend, input, shape);
    const hidden = made.forward(ids, options);
    const [states, logits] = await Promise.all([hidden.data(), made.logits(hidden).data()]);
    for (let b = 0; b < batch; b++) {
      const positions = Array.from({ length }, (_, i) => i).filter((i) => (options?.segments?.[b][i] ?? 0) >= 0);
      embeddings.push(
        Array.from(
          { length: 6 },
          (_, c) => positions.reduce((sum, i) => sum + states[(b * length + i) * 6 + c], 0) / positions.length,
        ),
      );
    }
    targets!.forEach((target, i) => {
      if (target < 0) return;
      const row = Array.from(logits.subarray(i * 11, (i + 1) * 11));
      nats += Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[target];
      hits += row.every((x) => x <= row[target]) ? 1 : 0;
      count++;
    });
  }
  return { embeddings, accuracy: hits / count, loss: nats / count };
}

const norm = (x: readonly number[]) => Math.hypot(...x);
const average = (x: readonly number[]) => x.reduce((a, b) => a + b, 0) / x.length;

describe('conversionReport', () => {
  const seed = 3;
  const favor = { type: 'favor', numFeatures: 16 } as const;

  it('compares whole models: embeddings, accuracy and loss', async () => {
    const report = await conversionReport(model(), batches, {
      attention: favor,
      exactLayers: [1],
      numFeatures: [16, 32],
      estimators: ['positive', 'trigonometric'],
      seed,
    });
    const exact = await direct({ attention: 'exact' }, seed);
    expect(report.exact.accuracy).toBe(exact.accuracy);
    expect(report.exact.loss).toBeCloseTo(exact.loss, 10);
    expect([report.sequences, report.numTokens]).toEqual([3, 15]);
    expect(report.ladder.map(({ estimator, numFeatures }) => [estimator, numFeatures])).toEqual([
      ['positive', 16],
      ['positive', 32],
      ['trigonometric', 16],
      ['trigonometric', 32],
    ]);
    const trigonometric = { ...favor, numFeatures: 32, featureMap: 'trigonometric' } as const;
    for (const [found, choice] of [
      [report.chosen.model, { attention: favor, exactLayers: [1] }],
      [report.ladder[0].model, { attention: favor, exactLayers: [] }],
      [report.ladder[3].model, { attention: trigonometric }],
      [report.alone[2].model, { attention: favor, exactLayers: [0, 1] }],
    ] as const) {
      const wanted = await direct(choice, seed);
      const errors = wanted.embeddings.map(
        (e, i) => norm(e.map((x, c) => x - exact.embeddings[i][c])) / norm(exact.embeddings[i]),
      );
      const cosines = wanted.embeddings.map(
        (e, i) => e.reduce((sum, x, c) => sum + x * exact.embeddings[i][c], 0) / norm(e) / norm(exact.embeddings[i]),
      );
      // The weights of the mean over positions are float32.
      expect(found.embeddingError).toBeCloseTo(average(errors), 6);
      expect(found.embeddingCosine.mean).toBeCloseTo(average(cosines), 6);
      expect(found.embeddingCosine.worst).toBeCloseTo(Math.min(...cosines), 6);
      expect(found.accuracy).toBe(wanted.accuracy);
      expect(found.loss).toBeCloseTo(wanted.loss, 10);
    }
  });

  it('measures every layer and head on what exact attention is given', async () => {
    const report = await conversionReport(model(), batches, {
      attention: favor,
      numFeatures: [16],
      estimators: ['hyperbolic', 'favor++'],
      seed,
    });
    const exact = model();
    const ids = tensor(backend, batches[0].input, batches[0].shape);
    const inputs = exact.attentionInputs(ids, batches[0].options);
    const ps: number[] = [];
    for (const [layer, { queries, keys, values }] of inputs.entries()) {
      const features = { numFeatures: 16, featureMap: 'hyperbolic', seed } as const;
      const direct = await approximationReport(queries, keys, values, { ...batches[0].options, maxRows: 32, features });
      ps.push(direct.p);
      const found = report.ladder[0].layers[layer];
      for (const head of [0, 1]) {
        const both = direct.heads.filter((each) => each.head === head);
        expect(found.heads[head].outputError).toBeCloseTo(average(both.map((each) => each.outputError)), 12);
        expect(found.heads[head].totalVariation).toBeCloseTo(average(both.map((each) => each.totalVariation.mean)), 12);
        expect(found.heads[head].effectiveFeatures).toBeCloseTo(
          average(both.map((each) => each.effectiveFeatures)),
          12,
        );
      }
      expect(found.outputError).toBeCloseTo(average(found.heads.map((each) => each.outputError)), 12);
    }
    expect(report.p).toBeCloseTo(average(ps), 12);
    expect(report.ladder[1].features.featureMap).toEqual({ type: 'favor++', p: report.p });
    const chosen = await conversionReport(exact, batches, {
      attention: favor,
      estimator: 'favor++',
      numFeatures: [],
      seed,
    });
    expect(exact.configuration.attention).toMatchObject({
      numFeatures: 16,
      featureMap: { type: 'favor++', p: report.p },
    });
    expect(chosen.chosen.layers).toEqual(report.ladder[1].layers);
  });

  it('says of exact attention that nothing changes', async () => {
    const made = model();
    const report = await conversionReport(made, batches, {
      attention: 'exact',
      numFeatures: [16],
      estimators: ['positive'],
    });
    expect(report.chosen.model).toEqual({ embeddingError: 0, embeddingCosine: { mean: 1, worst: 1 }, ...report.exact });
    expect(report.chosen.layers).toEqual([]);
    expect(made.configuration.attention.type).toBe('exact');
  });

  it('finds the layer that should stay exact', async () => {
    const made = model(1);
    const options = { attention: favor, numFeatures: [16, 64], estimators: [], seed } as const;
    const { alone } = await conversionReport(made, batches, options);
    const errors = alone.map((each) => each.model.embeddingError);
    expect(errors[1]).toBeGreaterThan(2 * Math.max(errors[0], errors[2]));
    const report = await conversionReport(made, batches, { ...options, tolerance: errors[1] / 2 });
    expect(report.keepExact).toEqual([1]);
    expect(made.configuration.exactLayers).toEqual([]);

    // What one exact layer and many features give is met with one exact layer; more needs more layers, less takes fewer.
    const hybrid = await conversionReport(made, batches, {
      ...options,
      attention: { ...favor, numFeatures: 64 },
      exactLayers: [1],
    });
    const within = hybrid.chosen.model.embeddingError;
    const automatic = await conversionReport(made, batches, { ...options, error: within * 1.001 });
    expect(automatic.chosen.exactLayers).toEqual([1]);
    expect(automatic.chosen.model.embeddingError).toBeLessThanOrEqual(within * 1.001);
    expect(made.configuration.exactLayers).toEqual([1]);
    expect((await conversionReport(made, batches, { ...options, error: 100 })).chosen).toMatchObject({
      exactLayers: [],
      attention: { type: 'favor', numFeatures: 16 },
    });
    expect((await conversionReport(made, batches, { ...options, error: 1e-9 })).chosen.attention).toEqual({
      type: 'exact',
    });
  });

  it('needs sequences, and a positive error', async () => {
    await expect(conversionReport(model(), [])).rejects.toThrow(/at least one sequence/);
    await expect(conversionReport(model(), batches, { numFeatures: [16], estimators: [], error: 0 })).rejects.toThrow(
      /wanted error is 0/,
    );
  });

  it('compares a model with another as it does with itself, and leaves both as they are', async () => {
    const [student, teacher] = [model(), model()];
    student.replaceAttention({ attention: favor }, seed);
    const report = await conversionReport(model(), batches, {
      attention: favor,
      numFeatures: [],
      estimators: [],
      seed,
    });
    expect(await compareModels(student, teacher, batches)).toEqual({
      model: report.chosen.model,
      reference: report.exact,
    });
    expect([student, teacher].map(({ configuration }) => configuration.attention.type)).toEqual(['favor', 'exact']);
  });

  it('frees what it made', async () => {
    const made = model();
    const options = { attention: favor, numFeatures: [16], estimators: ['positive'] as const };
    await conversionReport(made, batches, options);
    const before = backend.bytesAllocated;
    await conversionReport(made, batches, options);
    expect(backend.bytesAllocated).toBe(before);
  });
});

describe('a near field', () => {
  it('is what the report measures: where all is near, nothing is lost', async () => {
    const exact = model();
    const options = {
      attention: { type: 'favor', numFeatures: 4, nearField: { block: 13 } },
      numFeatures: [4],
    } as const;
    const report = await conversionReport(exact, batches, { ...options, estimators: ['positive'] });
    expect(report.ladder[0].model.embeddingError).toBeLessThan(1e-9);
    expect(report.chosen.model.embeddingError).toBeLessThan(1e-9);
    for (const { outputError, totalVariation } of report.chosen.layers) {
      expect([outputError, totalVariation].every((error) => error < 1e-9)).toBe(true);
    }
    expect(report.chosen.layers).toHaveLength(3);
    const plain = await conversionReport(exact, batches, { numFeatures: [4], estimators: ['positive'] });
    expect(plain.ladder[0].model.embeddingError).toBeGreaterThan(1e-3);
    exact.dispose();
  });

  const length = 67;
  const random = new Random(9);
  const long: MeasuredBatch[] = [{ input: Int32Array.from({ length }, () => random.integer(11)), shape: [1, length] }];

  const options = { causal: true, maxLength: length, positions: 'sinusoidal' } as const;
  const measuring = { numFeatures: [8, 32], estimators: [], seed: 2, maxRows: 3 };

  it('is chosen where it is the cheapest way to a wanted error', async () => {
    const measured = model(-1, options);
    const found: { cost: number; error: number; numFeatures: number; nearField: object | null }[] = [];
    for (const nearField of [null, { block: 16, sinks: 0 }, { block: 16, sinks: 4 }]) {
      for (const numFeatures of measuring.numFeatures) {
        const attention = { type: 'favor', numFeatures, nearField } as const;
        const { chosen } = await conversionReport(measured, long, { attention, ...measuring });
        // A near key's products with a query and with the values; twice as many for a feature.
        const cost = 2 * numFeatures + (nearField ? 24 + nearField.sinks : 0);
        found.push({ cost, error: chosen.model.embeddingError, numFeatures, nearField });
      }
    }
    found.sort((a, b) => a.cost - b.cost);
    const chosenFields = new Set<boolean>();
    // Just above what each candidate reaches, as far as most features reach it; at last what only exact layers reach.
    const least = Math.min(...found.filter((each) => each.numFeatures === 32).map((each) => each.error));
    const errors = found.map((each) => each.error + 1e-6).filter((error) => error > least);
    for (const error of [...errors, 1e-9]) {
      const expected = found.find((each) => each.error <= error);
      const { chosen } = await conversionReport(measured, long, { error, ...measuring });
      if (expected) {
        const { numFeatures, nearField } = expected;
        chosenFields.add(nearField === null);
        expect(chosen.exactLayers).toEqual([]);
        expect(chosen.attention).toMatchObject({ numFeatures, nearField: nearField ?? null });
        expect(chosen.model.embeddingError).toBe(expected.error);
      } else expect(chosen.model.embeddingError).toBeLessThanOrEqual(error);
    }
    expect(chosenFields.size).toBe(2);
    // What the caller says stays.
    const { error } = found.find(({ nearField }) => nearField) as (typeof found)[number];
    const attention = { type: 'favor', nearField: null } as const;
    const { chosen } = await conversionReport(measured, long, { attention, error, ...measuring });
    expect(chosen.attention).not.toMatchObject({ nearField: { block: 16 } });
    measured.dispose();
  });

  it('leaves estimates out that cannot be of far keys', async () => {
    const measured = model(-1, options);
    const attention = { type: 'favor', nearField: { block: 16 } } as const;
    const { ladder } = await conversionReport(measured, long, { attention, numFeatures: [8], maxRows: 3 });
    expect(ladder.map(({ estimator }) => estimator)).toEqual(['positive', 'hyperbolic', 'smreg', 'favor++']);
    expect(ladder.every(({ layers }) => layers.length === 3)).toBe(true);
    const trigonometric = { type: 'favor', featureMap: 'trigonometric' } as const;
    const { chosen } = await conversionReport(measured, long, { attention: trigonometric, error: 0.5, ...measuring });
    expect((chosen.attention as { nearField?: object | null }).nearField ?? null).toBeNull();
    measured.dispose();
  });
});
