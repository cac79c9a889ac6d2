import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { Random } from '../../src/base/random.ts';
import { Masking } from '../../src/data/batches/masking.ts';
import { evaluationSequences, trainingSequences } from '../../src/data/batches/sequences.ts';
import { type Batch, evaluationWindows, trainingWindows } from '../../src/data/batches/windows.ts';
import type { TokenSplit } from '../../src/data/tokens/token-store.ts';
import type { TransformerOptions } from '../../src/model/configuration.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { restoreModel } from '../../src/storage/load.ts';
import { findCheckpoint } from '../../src/storage/model-directory.ts';
import { loadCheckpoint } from '../../src/training/checkpoint.ts';
import { parseTrainingConfiguration, type TrainingOptions } from '../../src/training/configuration.ts';
import { evaluate } from '../../src/training/evaluate.ts';
import { checkObjective, heldOutBatches, trainingBatches, type Vocabulary } from '../../src/training/objective.ts';
import { train } from '../../src/training/run.ts';
import { Trainer } from '../../src/training/trainer.ts';
import { splitOf } from '../data/documents.ts';

const backend = createReferenceBackend();
/** Tokens 0 to 12, padding 13, mask 14, beginning 15. */
const vocabulary: Vocabulary = {
  vocabSize: 16,
  specials: new Map([
    ['<pad>', 13],
    ['<mask>', 14],
    ['<cls>', 15],
  ]),
  specialTokens: { padding: 13, mask: 14, beginning: 15 },
};
const masked = { objective: { type: 'maskedToken' } } as const;
const classification = { objective: { type: 'classification' } } as const;

/** Documents that count upwards by 1 modulo 13, of several lengths. */
function counting(count: number): TokenSplit {
  return splitOf(
    Array.from({ length: count }, (_, d) => Array.from({ length: 5 + ((7 * d) % 11) }, (_, i) => (3 * d + i) % 13)),
  );
}

function configuration(options: TrainingOptions) {
  return parseTrainingConfiguration({ steps: 8, batchSize: 3, length: 17, learningRate: 1e-2, seed: 4, ...options });
}

function model(options: Partial<TransformerOptions> = {}): Transformer {
  const tiny: TransformerOptions = {
    vocabSize: 16,
    dModel: 12,
    numLayers: 1,
    numHeads: 2,
    dFeedForward: 24,
    maxLength: 17,
    positions: 'learned',
    causal: false,
    attention: { type: 'favor', numFeatures: 11, redrawInterval: 3 },
  };
  return new Transformer(backend, { ...tiny, ...options }, 5);
}

async function all(batches: AsyncIterable<Batch>): Promise<Batch[]> {
  const found: Batch[] = [];
  for await (const batch of batches) found.push(batch);
  return found;
}

describe('checkObjective', () => {
  it.each([
    ['nextToken', { causal: true }, undefined],
    ['nextToken', { causal: false }, 'Objective nextToken needs a causal model'],
    ['maskedToken', { causal: false }, undefined],
    ['maskedToken', { causal: true }, 'Objective maskedToken needs a bidirectional model: set "causal": false'],
    ['classification', { causal: false, numClasses: 2 }, undefined],
    ['classification', { causal: false }, 'needs a classification head: set "numClasses"'],
    ['classification', { causal: true, numClasses: 2 }, 'Objective classification needs a bidirectional model'],
    ['classification', { causal: true, numClasses: 2, pooling: 'first' }, 'needs a bidirectional model'],
    ['classification', { causal: true, numClasses: 2, pooling: 'last' }, undefined],
    ['nextToken', { causal: true, languageHead: false }, 'Objective nextToken needs a language head'],
    ['maskedToken', { causal: false, languageHead: false }, 'Objective maskedToken needs a language head'],
    ['distillation', { causal: false, languageHead: false }, undefined],
    ['distillation', { causal: true }, undefined],
  ] as const)('%s with %j', (type, options, message) => {
    const distillation = type === 'distillation' ? {} : undefined;
    const { objective } = parseTrainingConfiguration({ objective: { type }, distillation });
    const check = () => checkObjective(objective, model(options).configuration);
    if (message) expect(check).toThrow(message);
    else check();
  });

  it('is what the trainer does first', () => {
    const data = trainingBatches(counting(9), configuration(masked), vocabulary);
    const make = (causal: boolean) =>
      new Trainer({ model: model({ causal }), data, configuration: configuration(masked) });
    expect(() => make(true)).toThrow('needs a bidirectional model');
    make(false).dispose();
  });
});

describe('trainingBatches and heldOutBatches', () => {
  const tokens = counting(11);
  const sizes = { batchSize: 3, length: 17 };

  it('distillation: whole texts with nothing hidden, every token of them counted', async () => {
    const end = 12;
    const framed = splitOf([[1, 2, 3, end], [4, 5, end], Array.from({ length: 20 }, (_, i) => i % 11)]);
    const distilled = configuration({ objective: { type: 'distillation' }, distillation: {}, packing: 'pack' });
    const batches = await all(heldOutBatches(framed, distilled, vocabulary, 3).batches());
    const rows = batches.flatMap(({ inputs, targets, length, batchSize }) =>
      Array.from({ length: batchSize }, (_, row) => ({
        inputs: [...inputs.subarray(row * length, (row + 1) * length)],
        targets: [...targets.subarray(row * length, (row + 1) * length)],
      })),
    );
    for (const { inputs, targets } of rows) {
      expect(targets).toEqual(inputs.map((id) => (id === 13 ? -1 : id)));
    }
    expect(rows.flatMap(({ targets }) => targets.filter((id) => id >= 0)).length).toBe(4 + 3 + 20 + 3);
    // The long text is cut; short ones keep both of their ends.
    const packed = rows.map(({ inputs }) => inputs.join(' ')).join(' | ');
    expect(packed).toContain('15 1 2 3 12');
    expect(packed).toContain('15 4 5 12');
  });

  it('next token: windows, packed and padded', async () => {
    const frame = { begin: 15, padding: 13 };
    const pairs = [
      [{}, trainingWindows(tokens, { ...sizes, seed: 4 }), evaluationWindows(tokens, sizes)],
      ...(['pack', 'pad'] as const).map((packing) => {
        const options = { ...sizes, ...frame, packing };
        return [
          { packing },
          trainingSequences(tokens, { ...options, seed: 4 }),
          evaluationSequences(tokens, options),
        ] as const;
      }),
    ] as const;
    for (const [options, training, evaluation] of pairs) {
      const given = configuration(options);
      const batches = trainingBatches(tokens, given, vocabulary);
      for (const step of [0, 5, 2]) expect(await batches.batchAt(step)).toEqual(await training.batchAt(step));
      expect(await all(heldOutBatches(tokens, given, vocabulary, 3).batches())).toEqual(
        await all(evaluation.batches()),
      );
    }
  });

  it('masked tokens: with the fraction asked for, held out alike for every seed', async () => {
    for (const packing of ['windows', 'pack', 'pad'] as const) {
      const given = configuration({ objective: { type: 'maskedToken', fraction: 0.4 }, packing });
      const options = { ...sizes, targets: 'itself', begin: 15, padding: 13 } as const;
      const plain =
        packing === 'windows'
          ? trainingWindows(tokens, { ...sizes, targets: 'itself', seed: 4 })
          : trainingSequences(tokens, { ...options, packing, seed: 4 });
      const masking = new Masking({ fraction: 0.4, mask: 14, vocabSize: 16, specials: [13, 15], seed: 4 });
      const batches = trainingBatches(tokens, given, vocabulary);
      for (const step of [0, 5, 2]) {
        expect(await batches.batchAt(step)).toEqual(masking.apply(await plain.batchAt(step), 3 * step));
      }
      const heldOut = await all(heldOutBatches(tokens, given, vocabulary, 3).batches());
      expect(
        await all(heldOutBatches(tokens, { ...given, seed: 99 } as typeof given, vocabulary, 3).batches()),
      ).toEqual(heldOut);
      const unmasked =
        packing === 'windows'
          ? evaluationWindows(tokens, { ...sizes, targets: 'itself' })
          : evaluationSequences(tokens, { ...options, packing });
      const fixed = new Masking({ fraction: 0.4, mask: 14, vocabSize: 16, specials: [13, 15], seed: 0 });
      expect(heldOut[1]).toEqual(fixed.apply(await unmasked.batchAt(1), 3));
      expect(heldOut.some(({ inputs }) => inputs.includes(14))).toBe(true);
      for (const { inputs, targets } of heldOut) {
        inputs.forEach((id, i) => {
          if (id === 13 || id === 15) expect(targets[i]).toBe(-1);
        });
      }
    }
  });

  it('classes: one sequence to a row', async () => {
    const classes = Array.from({ length: 11 }, (_, d) => d % 3);
    const batches = heldOutBatches({ ...tokens, labels: classes }, configuration(classification), vocabulary, 4);
    expect((await all(batches.batches())).flatMap(({ targets }) => [...targets])).toEqual(classes);
    const training = await trainingBatches(
      { ...tokens, labels: classes },
      configuration(classification),
      vocabulary,
    ).batchAt(0);
    expect(training.targets).toHaveLength(3);
    expect([0, 17, 34].map((at) => training.inputs[at])).toEqual([15, 15, 15]);
  });

  it('refuses what does not fit together', () => {
    const make = (options: TrainingOptions, words = vocabulary, labels?: number[]) =>
      trainingBatches({ ...tokens, labels }, configuration(options), words);
    expect(() => make(classification)).toThrow('needs a class for each document');
    expect(() => make({ ...classification, packing: 'pack' }, vocabulary, new Array(11).fill(0))).toThrow(
      'use packing pad',
    );
    expect(() => make(masked, { ...vocabulary, specialTokens: {} })).toThrow('needs a mask token');
    expect(() => configuration({ objective: { type: 'maskedToken', fraction: 0 } })).toThrow('objective.fraction');
  });
});

describe('training', () => {
  let parent: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'performers-objective-'));
  });
  afterEach(() => rmSync(parent, { recursive: true, force: true }));

  it.each(['windows', 'pack', 'pad'] as const)(
    'masked, %s: a run that resumes gives the losses of one that never stopped',
    async (packing) => {
      const given = configuration({ ...masked, packing, accumulate: 2, evaluateEvery: 4, checkpointEvery: 3 });
      const losses = async (out: string, stopAfter = Number.POSITIVE_INFINITY, resumes = false) => {
        const directory = resumes ? await findCheckpoint(out) : '';
        const checkpoint = resumes ? await loadCheckpoint(directory) : undefined;
        const tokens = counting(11);
        const events = train({
          out,
          model: checkpoint ? restoreModel(backend, checkpoint, directory) : model(),
          data: trainingBatches(tokens, given, vocabulary),
          dataFingerprint: 'counting',
          heldOut: heldOutBatches(tokens, given, vocabulary, 3),
          configuration: given,
          tokenizer: '{"model":{}}',
          resume: checkpoint && { checkpoint, directory },
        });
        const found: [string, number, number][] = [];
        for await (const event of events) {
          if (event.kind !== 'checkpoint') found.push([event.kind, event.step, event.loss]);
          if (event.kind === 'step' && event.step === stopAfter) break;
        }
        return found;
      };
      const whole = await losses(join(parent, 'whole'));
      await losses(join(parent, 'parts'), 5);
      const rest = await losses(join(parent, 'parts'), undefined, true);
      expect(rest[0][1]).toBe(4);
      expect(rest.filter(([kind]) => kind === 'step')).toEqual(
        whole.filter(([kind, step]) => kind === 'step' && step > 3),
      );
      expect(rest.at(-1)).toEqual(whole.at(-1));
      expect(whole.filter(([kind]) => kind === 'evaluation').map(([, step]) => step)).toEqual([4, 8]);
    },
  );

  it('masked: learns to read a hidden token off the others', async () => {
    const given = configuration({
      ...masked,
      packing: 'pack',
      steps: 60,
      batchSize: 6,
      weightDecay: 0,
      learningRate: 0.02,
    });
    const repeated = (count: number) =>
      splitOf(Array.from({ length: count }, (_, d) => new Array(4 + ((7 * d) % 11)).fill((5 * d) % 13)));
    const made = model({ dropout: 0 });
    const data = trainingBatches(repeated(60), given, vocabulary);
    const trainer = new Trainer({ model: made, data, configuration: given });
    const heldOut = heldOutBatches(repeated(39), given, vocabulary, 4);
    const before = await evaluate(made, heldOut.batches(), { objective: given.objective });
    for (let step = 0; step < given.steps; step++) await trainer.step();
    const after = await evaluate(made, heldOut.batches(), { objective: given.objective });
    expect(before.accuracy).toBeLessThan(0.4);
    expect(after.accuracy).toBeGreaterThan(0.9);
    expect(after.tokens).toBe(before.tokens);
    trainer.dispose();
    made.dispose();
  });

  it('classification: learns, and its accuracy is the share of sequences', async () => {
    const random = new Random(1);
    const texts = (count: number) => {
      const documents = Array.from({ length: count }, () =>
        Array.from({ length: 3 + random.integer(12) }, () => random.integer(13)),
      );
      // Whether most tokens are small: the head must weigh all positions.
      const classes = documents.map((ids) => (ids.filter((id) => id < 6).length > ids.length / 2 ? 1 : 0));
      return { ...splitOf(documents), labels: classes };
    };
    const [training, test] = [texts(300), texts(60)];
    const given = configuration({ ...classification, steps: 60, batchSize: 16, weightDecay: 0, learningRate: 0.02 });
    const made = model({ dropout: 0, numClasses: 2, attention: { type: 'exact' } });
    const data = trainingBatches(training, given, vocabulary);
    const trainer = new Trainer({ model: made, data, configuration: given });
    for (let step = 0; step < given.steps; step++) await trainer.step();
    const batches = () => heldOutBatches(test, given, vocabulary, 7).batches();
    const evaluation = await evaluate(made, batches(), { objective: given.objective });
    expect(evaluation.tokens).toBe(60);
    expect(evaluation.accuracy).toBeGreaterThan(0.85);
    const wrong = await evaluate(
      made,
      heldOutBatches({ ...test, labels: test.labels.map((label) => 1 - label) }, given, vocabulary, 7).batches(),
      { objective: given.objective },
    );
    expect(wrong.accuracy + evaluation.accuracy).toBeCloseTo(1, 12);
    const strange = heldOutBatches({ ...test, labels: test.labels.map(() => 2) }, given, vocabulary, 7);
    await expect(evaluate(made, strange.batches(), { objective: given.objective })).rejects.toThrow(
      "Class 2 is not one of the model's 2",
    );
    trainer.dispose();
    made.dispose();
  });
});
