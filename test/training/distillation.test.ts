import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import type { Backend } from '../../src/backend/types.ts';
import type { Batch } from '../../src/data/batches/windows.ts';
import { createBackend } from '../../src/entries/performers.ts';
import type { TransformerOptions } from '../../src/model/configuration.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { findCheckpoint } from '../../src/storage/model-directory.ts';
import { saveModel } from '../../src/storage/save.ts';
import { readWeights } from '../../src/storage/weights.ts';
import { scope } from '../../src/tensor/scope.ts';
import { valueAndGradients } from '../../src/tensor/tape.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { loadCheckpoint } from '../../src/training/checkpoint.ts';
import type { DistillationConfiguration, Objective } from '../../src/training/configuration.ts';
import { checkTeacher, Distillation } from '../../src/training/distillation.ts';
import { evaluate } from '../../src/training/evaluate.ts';
import type { RunEvent, RunOptions } from '../../src/training/run.ts';
import { loadTeacher } from '../../src/training/teacher.ts';
import { Trainer } from '../../src/training/trainer.ts';
import {
  countingData,
  eventsOf,
  resumedFrom,
  timeless,
  tinyConfiguration,
  tinyModel,
  tinyRun,
  VOCAB,
} from './support.ts';

const reference = createReferenceBackend();

/** The weights of `model` under another attention. */
function copyOf(model: Transformer, attention: TransformerOptions['attention']): Transformer {
  const copy = new Transformer(model.backend, { ...model.configuration, attention, exactLayers: [] }, 7);
  const parameters = model.parameters();
  for (const [name, { storage }] of copy.parameters()) model.backend.copy(parameters.get(name)!.storage, storage);
  return copy;
}

const favor = { type: 'favor', numFeatures: 11 } as const;
const weights: DistillationConfiguration = {
  attentionWeight: 0.7,
  logitsWeight: 1.3,
  hiddenWeight: 0.9,
  taskWeight: 0.4,
};
const nextToken: Objective = { type: 'nextToken' };
const alone: Objective = { type: 'distillation' };

/** Two rows of which the second ends with padding, and the positions that hold tokens. */
function paddedBatch(length = 7, paddingToken = 0): Batch {
  const { inputs, targets } = countingData(2, 7).batchAt(0);
  const [rows, ends] = [2, [7, 4]];
  const batch = {
    inputs: new Int32Array(rows * length).fill(paddingToken),
    targets: new Int32Array(rows * length).fill(-1),
    segments: ends.map((end) => new Int32Array(length).fill(-1).fill(0, 0, end)),
    ...{ batchSize: rows, length },
  };
  ends.forEach((end, row) => {
    batch.inputs.set(inputs.subarray(7 * row, 7 * row + end), length * row);
    batch.targets.set(targets.subarray(7 * row, 7 * row + end), length * row);
  });
  return batch;
}

/** Weighted parts of a lesson with what they add up to; no tape. */
async function measure(distillation: Distillation, student: Transformer, batch: Batch) {
  const lesson = await distillation.teach(batch);
  const { parts } = scope(() => lesson.loss(student));
  const sums: { name: string; weight: number; sum: number }[] = [];
  for (const { name, weight, values } of parts) {
    sums.push({ name, weight, sum: [...(await values.data())].reduce((a, b) => a + b, 0) });
    values.dispose();
  }
  lesson.dispose();
  return sums;
}

async function hiddenOf(model: Transformer, { inputs, segments, batchSize, length }: Batch) {
  return model.forward(tensor(model.backend, inputs, [batchSize, length]), { segments }).data();
}

describe('a lesson', () => {
  it('is the relative squared errors, the divergence and the cross-entropy written out', async () => {
    const teacher = tinyModel(reference, 3, { attention: 'exact' });
    const student = copyOf(teacher, favor);
    const batch = paddedBatch();
    const outputsOf = async (model: Transformer) => {
      const found: Promise<ArrayLike<number>>[] = [];
      const ids = tensor(reference, batch.inputs, [2, 7]);
      model.forward(ids, {
        segments: batch.segments,
        observe: ({ outputs }) => {
          expect(outputs.shape).toEqual([2, 7, 2, 4]);
          found.push(outputs.data());
        },
      });
      return Promise.all(found);
    };
    const logitsOf = async (model: Transformer) => {
      const ids = tensor(reference, batch.inputs, [2, 7]);
      return model.logits(model.forward(ids, { segments: batch.segments })).data();
    };
    const positions = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    const rowOf = (all: ArrayLike<number>, position: number, width: number) =>
      Array.from({ length: width }, (_, i) => all[position * width + i]);
    const [taught, given] = [await outputsOf(teacher), await outputsOf(student)];
    const expected: { name: string; weight: number; sum: number }[] = taught.map((outputs, layer) => {
      const sum = (f: (s: number, t: number) => number) =>
        positions
          .flatMap((position) => rowOf(outputs, position, 8).map((t, i) => f(rowOf(given[layer], position, 8)[i], t)))
          .reduce((a, b) => a + b, 0);
      // Of each position its share of the relative error.
      const relative = sum((s, t) => (s - t) ** 2) / (sum((_, t) => t * t) / positions.length);
      return { name: 'attention', weight: 0.35, sum: 0.35 * relative };
    });
    const [teacherLogits, studentLogits] = [await logitsOf(teacher), await logitsOf(student)];
    const softmax = (row: number[]) => {
      const powers = row.map(Math.exp);
      return powers.map((power) => power / powers.reduce((a, b) => a + b, 0));
    };
    let divergence = 0;
    let entropy = 0;
    for (const position of positions) {
      const q = softmax(rowOf(studentLogits, position, VOCAB));
      softmax(rowOf(teacherLogits, position, VOCAB)).forEach((p, i) => {
        divergence += p * Math.log(p / q[i]);
      });
      entropy -= Math.log(softmax(rowOf(studentLogits, position, VOCAB))[batch.targets[position]]);
    }
    expected.push({ name: 'logits', weight: 1.3, sum: 1.3 * divergence });
    expected.push({ name: 'task', weight: 0.4, sum: 0.4 * entropy });
    const found = await measure(new Distillation(teacher, weights, nextToken), student, batch);
    expect(found.map(({ name, weight }) => ({ name, weight }))).toEqual(
      expected.map(({ name, weight }) => ({ name, weight })),
    );
    for (const [i, { sum }] of found.entries()) expect(sum / expected[i].sum).toBeCloseTo(1, 6);
  });

  it('is nothing for a student that is the teacher, and of hidden states without a language head', async () => {
    const teacher = tinyModel(reference, 3, { attention: 'exact', languageHead: false, causal: false });
    const distillation = new Distillation(teacher, weights, alone);
    const batch = paddedBatch();
    const same = await measure(distillation, teacher, batch);
    expect(same).toEqual([
      { name: 'attention', weight: 0.35, sum: 0 },
      { name: 'attention', weight: 0.35, sum: 0 },
      { name: 'hidden', weight: 0.9, sum: 0 },
    ]);
    // A change in the last layer leaves the first one's error 0.
    const student = copyOf(teacher, 'exact');
    reference.fill(student.parameters().get('blocks.1.attention.value.bias')!.storage, 0.5);
    const [first, second, hidden] = await measure(distillation, student, batch);
    expect(first.sum).toBe(0);
    expect(second.sum).toBeGreaterThan(0.1);
    const [t, s] = [await hiddenOf(teacher, batch), await hiddenOf(student, batch)];
    const sum = (f: (i: number) => number) => Array.from({ length: 11 * 8 }, (_, i) => f(i)).reduce((a, b) => a + b, 0);
    const error = sum((i) => (s[i] - t[i]) ** 2) / (sum((i) => t[i] ** 2) / 11);
    expect(hidden.sum / (0.9 * error)).toBeCloseTo(1, 10);
  });

  it('counts no padding: neither what stands there nor how much of it there is', async () => {
    for (const languageHead of [true, false]) {
      const teacher = tinyModel(reference, 3, { attention: 'exact', languageHead, causal: false });
      const student = copyOf(teacher, favor);
      const distillation = new Distillation(teacher, weights, alone);
      const plain = await measure(distillation, student, paddedBatch());
      for (const other of [paddedBatch(7, 5), paddedBatch(11)]) {
        const padded = await measure(distillation, student, other);
        expect(padded.length).toBe(3);
        for (const [i, { sum }] of padded.entries()) expect(sum).toBeCloseTo(plain[i].sum, 12);
      }
    }
  });

  it('leaves out padding whose states are NaN or infinite, in all of its parts', async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 3e38]) {
      for (const languageHead of [true, false]) {
        const options = { languageHead, causal: false, tiedEmbeddings: false } as const;
        const teacher = tinyModel(reference, 3, { attention: 'exact', ...options });
        const student = copyOf(teacher, favor);
        const distillation = new Distillation(teacher, weights, languageHead ? nextToken : alone);
        // Token 5 stands at padding alone.
        const batch = paddedBatch(7, 5);
        const isPadding = (position: number) => batch.segments![Math.floor(position / 7)][position % 7] < 0;
        batch.inputs.forEach((id, position) => {
          if (!isPadding(position) && id === 5) batch.inputs[position] = 6;
        });
        const plain = await measure(distillation, student, batch);
        for (const model of [teacher, student]) {
          const { storage } = model.parameters().get('tokens.weight')!;
          reference.write(storage, new Float64Array(8).fill(value), 5 * 8);
        }
        const given = await measure(distillation, student, batch);
        expect(given, `${value}, language head: ${languageHead}`).toEqual(plain);
      }
    }
  });

  it('counts in a step by positions what the teacher gives, and by targets the task', async () => {
    const plain = { causal: false, dropout: 0 } as const;
    const teacher = tinyModel(reference, 3, { ...plain, attention: 'exact' });
    const student = copyOf(teacher, favor);
    const batch = paddedBatch();
    batch.targets.forEach((_, i) => {
      if (i % 3 !== 0) batch.targets[i] = -1;
    });
    const targets = batch.targets.filter((target) => target >= 0).length;
    expect(targets).toBe(4);
    const objective: Objective = { type: 'maskedToken', fraction: 0.15 };
    const parts = await measure(new Distillation(teacher, weights, objective), student, batch);
    const expected = parts.reduce((sum, part) => sum + part.sum / (part.name === 'task' ? targets : 11), 0);
    const configuration = tinyConfiguration({ objective, distillation: weights });
    const trainer = new Trainer({ model: student, data: { batchAt: () => batch }, configuration, teacher });
    expect((await trainer.step()).loss / expected).toBeCloseTo(1, 9);
    trainer.dispose();
  });

  it('has the gradients of central differences, through all of its parts', async () => {
    const teacher = tinyModel(reference, 3, { attention: 'exact', causal: false });
    const student = copyOf(teacher, favor);
    const distillation = new Distillation(teacher, weights, { type: 'maskedToken', fraction: 0.15 });
    const batch = paddedBatch();
    const total = async () => (await measure(distillation, student, batch)).reduce((sum, part) => sum + part.sum, 0);
    const names = ['tokens.weight', 'blocks.0.attention.query.weight', 'blocks.1.attention.value.bias'];
    const parameters = names.map((name) => student.parameters().get(name)!);
    const lesson = await distillation.teach(batch);
    const { gradients } = valueAndGradients(() => lesson.loss(student).parts.map(({ values }) => values), parameters);
    lesson.dispose();
    for (const [p, { storage }] of parameters.entries()) {
      const [gradient, before] = [await gradients[p].data(), await reference.read(storage)];
      const size = Math.max(...gradient.map(Math.abs));
      for (const i of [3, 6]) {
        const at = async (change: number) => {
          reference.write(storage, Float64Array.of(before[i] + change), i);
          return total();
        };
        const near = (await at(1e-4)) - (await at(-1e-4));
        const far = (await at(2e-4)) - (await at(-2e-4));
        reference.write(storage, Float64Array.of(before[i]), i);
        expect(Math.abs((8 * near - far) / 12e-4 - gradient[i]) / size, `${names[p]}[${i}]`).toBeLessThan(1e-6);
      }
    }
  });
});

describe('training with a teacher', () => {
  let backend: Backend;
  beforeEach(async () => {
    backend = await createBackend({ numThreads: 1 });
  });
  afterEach(() => backend.close());

  const sizes = { dModel: 32, numLayers: 3, numHeads: 2, dFeedForward: 37, maxLength: 24, dropout: 0 } as const;

  async function exactlyTrained(options: Partial<TransformerOptions> = {}): Promise<Transformer> {
    const model = tinyModel(backend, 3, { ...sizes, attention: 'exact', ...options });
    const configuration = tinyConfiguration({ learningRate: 1e-2, batchSize: 4, length: 23 });
    const trainer = new Trainer({ model, data: countingData(4, 23), configuration });
    for (let i = 0; i < 150; i++) await trainer.step();
    trainer.dispose();
    return model;
  }

  it('brings FAVOR+ near the exact model within fifty steps, and leaves that model as it is', async () => {
    const teacher = await exactlyTrained();
    const before = await readWeights(teacher);
    const held = [countingData(8, 23, 99).batchAt(0)];
    const student = copyOf(teacher, { type: 'favor', numFeatures: 24 });
    const configuration = tinyConfiguration({
      ...{ learningRate: 3e-3, batchSize: 4, length: 23, steps: 50 },
      distillation: { taskWeight: 0 },
    });
    const trainer = new Trainer({ model: student, data: countingData(4, 23), configuration, teacher });
    const measured = () => evaluate(student, held, { teacher: trainer.distillation });
    const start = await measured();
    for (let i = 0; i < 50; i++) {
      const result = await trainer.step();
      const { attentionError = 0, logitsError = 0 } = result;
      expect(result.loss / (attentionError + logitsError)).toBeCloseTo(1, 5);
    }
    const end = await measured();
    expect(start.attentionError! / end.attentionError!).toBeGreaterThan(8);
    expect(start.logitsError! / end.logitsError!).toBeGreaterThan(4);
    expect((await evaluate(student, held)).loss).toBeCloseTo(end.loss, 5);
    // The task counted for nothing; whoever gives the teacher's logits is as good at the task.
    const { loss } = await evaluate(teacher, held);
    expect(Math.abs(end.loss / loss - 1)).toBeLessThan(0.05);
    expect(await readWeights(teacher)).toEqual(before);
  });

  it('holds no more memory after a hundred steps', async () => {
    const teacher = tinyModel(backend, 3, { ...sizes, attention: 'exact' });
    const configuration = tinyConfiguration({ accumulate: 2, steps: 200, distillation: {} });
    const student = copyOf(teacher, favor);
    const trainer = new Trainer({ model: student, data: { batchAt: () => paddedBatch() }, configuration, teacher });
    for (let i = 0; i < 3; i++) await trainer.step();
    backend.trim();
    const held = backend.bytesAllocated;
    for (let i = 0; i < 100; i++) await trainer.step();
    backend.trim();
    expect(backend.bytesAllocated).toBe(held);
  });

  it('refuses a teacher of other sizes, one that teaches nothing, and a student without what is taught', () => {
    const teacher = tinyModel(backend, 3, { attention: 'exact' });
    const wider = tinyModel(backend, 3, { dModel: 12 });
    const distillation = tinyConfiguration({ distillation: {} }).distillation!;
    expect(() => checkTeacher(teacher.configuration, wider.configuration, distillation)).toThrow(
      'The teacher has dModel 8 where the model has 12: a teacher is the same model with exact attention.',
    );
    const dropping = tinyModel(backend, 3, { causal: false, tokenDropout: { maskToken: 1, ratio: 0.1 } });
    const plain = tinyModel(backend, 3, { causal: false });
    expect(() => checkTeacher(dropping.configuration, plain.configuration, distillation)).toThrow(
      'The teacher has tokenDropout {"maskToken":1,"ratio":0.1} where the model has undefined',
    );
    const nothing = { ...distillation, attentionWeight: 0, logitsWeight: 0 };
    expect(() => checkTeacher(teacher.configuration, teacher.configuration, nothing)).toThrow(
      'Nothing would be learnt from the teacher: raise attentionWeight or logitsWeight',
    );
    const reversible = tinyModel(backend, 3, { reversible: true });
    expect(() => checkTeacher(teacher.configuration, reversible.configuration, distillation)).toThrow(
      'The attention of reversible layers cannot be taught: set attentionWeight: 0.',
    );
    const headless = tinyModel(backend, 3, { languageHead: false });
    const data = countingData();
    const configuration = tinyConfiguration({ distillation: {} });
    expect(() => new Trainer({ model: headless, data, configuration, teacher: headless })).toThrow(
      'Objective nextToken needs a language head, which this model lacks',
    );
    expect(() => new Trainer({ model: teacher, data, configuration })).toThrow('no teacher was given');
    expect(() => tinyConfiguration({ objective: { type: 'distillation' } })).toThrow('set "distillation": {}');
  });
});

describe('a run with a teacher', () => {
  let parent: string;
  beforeEach(async () => {
    parent = mkdtempSync(join(tmpdir(), 'performers-distillation-'));
    await saveModel(join(parent, 'teacher'), tinyModel(reference, 5));
  });
  afterEach(() => rmSync(parent, { recursive: true, force: true }));

  const options = { distillation: { taskWeight: 0.5 }, objective: nextToken };

  async function start(out: string): Promise<RunOptions> {
    const run = tinyRun(reference, out, options);
    return { ...run, teacher: await loadTeacher(reference, join(parent, 'teacher')) };
  }

  async function resume(out: string): Promise<RunOptions> {
    const run = await resumedFrom(reference, out, tinyRun(reference, out, options));
    return { ...run, teacher: await loadTeacher(reference, run.resume.checkpoint.training.teacher!.directory) };
  }

  it('resumes to the last bit with its teacher, and with no other', async () => {
    const { teacher } = await start(join(parent, 'whole'));
    expect(teacher!.model.configuration.attention).toEqual({ type: 'exact' });
    const expected = await eventsOf(await start(join(parent, 'whole')));
    const out = join(parent, 'stopped');
    await eventsOf(await start(out), 8);
    const rest = await eventsOf(await resume(out));
    expect(rest[0]).toMatchObject({ kind: 'step', step: 7 });
    expect(timeless(rest)).toEqual(timeless(expected).filter((event) => (event as RunEvent).step > 6));
    const lines = readFileSync(join(out, 'metrics.jsonl'), 'utf8').split('\n');
    const line = lines.find((text) => text.includes('heldOutLoss'))!;
    expect(JSON.parse(line)).toMatchObject({
      heldOutAttentionError: expect.any(Number),
      heldOutLogitsError: expect.any(Number),
    });

    const other = { ...(await resume(out)), resume: (await resume(out)).resume };
    rmSync(join(parent, 'teacher'), { recursive: true });
    await saveModel(join(parent, 'teacher'), tinyModel(reference, 6));
    const changed = { ...other, teacher: await loadTeacher(reference, join(parent, 'teacher')) };
    const { directory } = other.resume!;
    await expect(eventsOf(changed)).rejects.toThrow(
      `${directory} was trained with another teacher: resume it with the model that was in ${join(parent, 'teacher')}.`,
    );
    const without = tinyRun(reference, join(parent, 'plain'), { steps: 3 });
    await eventsOf(without);
    const plain = await findCheckpoint(join(parent, 'plain'));
    const resumed = { checkpoint: await loadCheckpoint(plain), directory: plain };
    await expect(eventsOf({ ...(await start(join(parent, 'plain'))), resume: resumed })).rejects.toThrow(
      `${plain} was trained with no teacher: resume it without one.`,
    );
  });

  it('ends after minutes with an evaluation and a checkpoint, and continues as if it had not', async () => {
    const expected = await eventsOf(await start(join(parent, 'whole')));
    const out = join(parent, 'short');
    const events = await eventsOf({ ...(await start(out)), minutes: 1e-9 });
    expect(events.map(({ kind, step }) => `${kind} ${step}`)).toEqual(['step 1', 'evaluation 1', 'checkpoint 1']);
    const rest = await eventsOf(await resume(out));
    const whole = (event: unknown) => (event as RunEvent).step > 1;
    expect(timeless(rest)).toEqual(timeless(expected).filter(whole));
  });
});
