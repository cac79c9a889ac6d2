/** A tiny language and a tiny model to train on it. */
import type { Backend } from '../../src/backend/types.ts';
import { Random } from '../../src/base/random.ts';
import type { Batch } from '../../src/data/batches/windows.ts';
import type { TransformerOptions } from '../../src/model/configuration.ts';
import { Transformer } from '../../src/model/transformer.ts';
import { restoreModel } from '../../src/storage/load.ts';
import { findCheckpoint } from '../../src/storage/model-directory.ts';
import { loadCheckpoint } from '../../src/training/checkpoint.ts';
import { parseTrainingConfiguration, type TrainingOptions } from '../../src/training/configuration.ts';
import { type RunEvent, type RunOptions, train } from '../../src/training/run.ts';

export const VOCAB = 13;

/** Sequences that count upwards by 1 to 3 modulo the vocabulary: what comes next follows from the last two tokens. */
export function countingData(batchSize = 2, length = 7, seed = 5): { batchAt(index: number): Batch } {
  return {
    batchAt(index) {
      const random = new Random(seed).fork(index);
      const rows = Array.from({ length: batchSize }, () => {
        const start = random.integer(VOCAB);
        const stride = 1 + random.integer(3);
        return Array.from({ length: length + 1 }, (_, i) => (start + i * stride) % VOCAB);
      });
      return {
        inputs: Int32Array.from(rows.flatMap((row) => row.slice(0, -1))),
        targets: Int32Array.from(rows.flatMap((row) => row.slice(1))),
        batchSize,
        length,
      };
    },
  };
}

/** 2 layers, 2 heads of 4, favor with 11 features redrawn every 5 steps, dropout 0.1. */
export function tinyModel(backend: Backend, seed: number, options: Partial<TransformerOptions> = {}): Transformer {
  const tiny: TransformerOptions = {
    vocabSize: VOCAB,
    dModel: 8,
    numLayers: 2,
    numHeads: 2,
    dFeedForward: 17,
    maxLength: 16,
    attention: { type: 'favor', numFeatures: 11, redrawInterval: 5 },
  };
  return new Transformer(backend, { ...tiny, ...options }, seed);
}

export function tinyConfiguration(options: TrainingOptions = {}) {
  return parseTrainingConfiguration({ learningRate: 1e-2, steps: 12, batchSize: 2, length: 7, seed: 3, ...options });
}

/** A run of the tiny model on {@link countingData}, with evaluation. */
export function tinyRun(backend: Backend, out: string, options: TrainingOptions = {}): RunOptions {
  const configuration = tinyConfiguration({
    accumulate: 2,
    warmupSteps: 3,
    evaluateEvery: 4,
    checkpointEvery: 3,
    schedule: { kind: 'cosine' },
    ...options,
  });
  const heldOut = countingData(3, 5, 99);
  return {
    out,
    model: tinyModel(backend, configuration.seed),
    data: countingData(configuration.batchSize, configuration.length),
    dataFingerprint: 'counting',
    heldOut: { batches: () => [0, 1].map((index) => heldOut.batchAt(index)), characters: 60 },
    configuration,
    tokenizer: '{"model":{}}',
  };
}

/** What a run tells, at most until the step `stopAfter`. */
export async function eventsOf(options: RunOptions, stopAfter = Number.POSITIVE_INFINITY): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of train(options)) {
    events.push(event);
    if (event.kind === 'step' && event.step === stopAfter) break;
  }
  return events;
}

/** The losses of a run's steps, at most until the step `stopAfter`. */
export async function lossesOf(options: RunOptions, stopAfter: number): Promise<number[]> {
  const events = await eventsOf(options, stopAfter);
  return events.flatMap((event) => (event.kind === 'step' ? [event.loss] : []));
}

/** Events that a resumed run must repeat: checkpoints and times left out. */
export const timeless = (events: readonly RunEvent[]): unknown[] =>
  events.flatMap((event) => (event.kind === 'checkpoint' ? [] : [{ ...event, seconds: 0, dataSeconds: 0 }]));

/** A run of {@link tinyRun}'s form that continues from the newest checkpoint of `from`. */
export async function resumedFrom(backend: Backend, from: string, run: RunOptions) {
  const directory = await findCheckpoint(from);
  const checkpoint = await loadCheckpoint(directory);
  return { ...run, model: restoreModel(backend, checkpoint, directory), resume: { checkpoint, directory } };
}
