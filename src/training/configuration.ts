import { z } from 'zod';
import { parseConfiguration } from './parse.ts';
import type { Schedule } from './schedule.ts';

const fraction = () => z.number().min(0).max(1);

const schedule = () =>
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('constant') }),
    z.strictObject({ kind: z.literal('cosine'), finalFraction: fraction().default(0.1) }),
    z.strictObject({ kind: z.literal('linear'), finalFraction: fraction().default(0) }),
  ]) satisfies z.ZodType<Schedule>;

/** The training configuration with the paper's defaults; any other key is an error. Dropout belongs to the model. */
export const trainingSchema = z.lazy(() => {
  const positive = z.number().positive();
  const count = z.int().min(1);
  const decay = z.number().min(0).lt(1);
  return z.strictObject({
    /** Optimizer updates in all. */
    steps: count.default(1000),
    /** Sequences in a micro-batch. */
    batchSize: count.default(8),
    /** Tokens in a sequence. */
    length: count.default(512),
    /** Micro-batches whose gradients are averaged into one update. */
    accumulate: count.default(1),
    /** Peak learning rate. */
    learningRate: positive.default(1e-3),
    /** Updates of linear warm-up. */
    warmupSteps: z.int().min(0).default(0),
    /** Decay after warm-up: constant (the paper's), cosine or linear. */
    schedule: schedule().default({ kind: 'constant' }),
    beta1: decay.default(0.9),
    beta2: decay.default(0.98),
    epsilon: positive.default(1e-9),
    /** Decoupled weight decay of weight matrices. */
    weightDecay: z.number().min(0).default(0.1),
    /** Largest global norm of the gradient; null = no clipping. */
    clip: positive.nullable().default(0.5),
    /** Updates between evaluations; the last update is always followed by one. 0 = only then. */
    evaluateEvery: z.int().min(0).default(200),
    /** Updates between checkpoints; the last update is always followed by one. 0 = only then. */
    checkpointEvery: z.int().min(0).default(200),
    /** Checkpoints kept, newest first. */
    keepCheckpoints: count.default(3),
    /** Seed of the initial weights, projections, data order and dropout. */
    seed: z.int().min(0).default(0),
  });
});

export type TrainingConfiguration = z.output<typeof trainingSchema>;
/** A configuration as written by a person: every key optional. */
export type TrainingConfigurationInput = z.input<typeof trainingSchema>;

/**
 * Fills in defaults and validates.
 * @param where names the file or option in errors
 * @throws one sentence naming the key that is unknown or out of range.
 */
export function parseTrainingConfiguration(
  value: unknown,
  where = 'the training configuration',
): TrainingConfiguration {
  return parseConfiguration(trainingSchema, value, where);
}
