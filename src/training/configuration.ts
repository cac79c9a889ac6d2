import { type OptionKind, option } from '../base/options.ts';
import { parseConfiguration } from '../base/parse-configuration.ts';
import { removedOption } from '../base/removed-option.ts';
import { z } from '../base/zod.ts';
import type { Schedule } from './schedule.ts';

const fraction = () => z.number().check(z.minimum(0), z.maximum(1));

const schedule = () =>
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('constant') }),
    z.strictObject({ kind: z.literal('cosine'), finalFraction: z._default(fraction(), 0.1) }),
    z.strictObject({ kind: z.literal('linear'), finalFraction: z._default(fraction(), 0) }),
  ]) satisfies z.ZodMiniType<Schedule>;

/** What is predicted, which decides what batches hold and how a model is measured. */
const objective = () =>
  z.discriminatedUnion('type', [
    /** Each token from those before it; needs a causal model. */
    z.strictObject({ type: z.literal('nextToken') }),
    /** Hidden tokens from all others; needs a bidirectional model. */
    z.strictObject({
      type: z.literal('maskedToken'),
      /** Probability that a token is to be predicted. Default 0.15. */
      fraction: z._default(z.number().check(z.gt(0), z.maximum(1)), 0.15),
    }),
    /** The class of a whole sequence; needs a model with numClasses. */
    z.strictObject({ type: z.literal('classification') }),
    /** Nothing but what a teacher gives at every position, nothing hidden; for models without a language head too. */
    z.strictObject({ type: z.literal('distillation') }),
  ]);

/** Learning from a teacher, the same model with exact attention, besides the objective. */
const distillation = () => {
  const weight = () => z.number().check(z.minimum(0));
  return z.strictObject({
    /** Directory of the teacher's model; its attention is taken to be exact. Default: the model that training starts from. */
    teacher: z.optional(z.string()),
    /** Weight of the squared error of the heads that attention gives, mean over the layers, relative to the teacher's mean square. */
    attentionWeight: z._default(weight(), 1),
    /** Weight of the divergence of the logits' softmax from the teacher's, of models with a language head. */
    logitsWeight: z._default(weight(), 1),
    /** Weight of the relative squared error of the last hidden states, of models without one. */
    hiddenWeight: z._default(weight(), 1),
    temperature: removedOption(1, 'leave out the key, and weigh the logits by logitsWeight'),
    /** Weight of the objective's own loss; 0 = learn from the teacher alone. */
    taskWeight: z._default(weight(), 1),
  });
};

/** The training configuration with the paper's defaults; any other key is an error. Dropout belongs to the model. */
export const trainingSchema = z.lazy(() => {
  const positive = z.number().check(z.positive());
  const count = z.int().check(z.minimum(1));
  const countOrZero = z.int().check(z.minimum(0));
  const decay = z.number().check(z.minimum(0), z.lt(1));
  const keys = z.strictObject({
    /** Optimizer updates in all. */
    steps: z._default(count, 1000),
    /** Sequences in a micro-batch. */
    batchSize: z._default(count, 8),
    /** Tokens in a sequence. */
    length: z._default(count, 512),
    objective: z._default(objective(), { type: 'nextToken' }),
    distillation: z.optional(distillation()),
    /**
     * How rows are made of documents. `windows` are of one long stream. Whole documents go as many to a row as fit
     * (`pack`) or one to a row (`pad`). Default: windows; with classification, pad.
     */
    packing: z.optional(z.enum(['windows', 'pack', 'pad'])),
    /** Micro-batches whose gradients are averaged into one update. */
    accumulate: z._default(count, 1),
    /** Peak learning rate. */
    learningRate: z._default(positive, 1e-3),
    /** Updates of linear warm-up. */
    warmupSteps: z._default(countOrZero, 0),
    /** Decay after warm-up: constant (the paper's), cosine or linear. */
    schedule: z._default(schedule(), { kind: 'constant' }),
    beta1: z._default(decay, 0.9),
    beta2: z._default(decay, 0.98),
    epsilon: z._default(positive, 1e-9),
    /** Decoupled weight decay of weight matrices. */
    weightDecay: z._default(z.number().check(z.minimum(0)), 0.1),
    /** Largest global norm of the gradient; null = no clipping. */
    clip: z._default(z.nullable(positive), 0.5),
    /** Updates between evaluations; the last update is always followed by one. 0 = only then. */
    evaluateEvery: z._default(countOrZero, 200),
    /** Updates between checkpoints; the last update is always followed by one. 0 = only then. */
    checkpointEvery: z._default(countOrZero, 200),
    /** Checkpoints kept, newest first. */
    keepCheckpoints: z._default(count, 3),
    /** Seed of the initial weights, projections, data order and dropout. */
    seed: z._default(countOrZero, 0),
  });
  return keys.check(
    z.refine(({ objective: { type }, distillation }) => type !== 'distillation' || distillation !== undefined, {
      path: ['distillation'],
      error: 'objective distillation learns from a teacher: set "distillation": {}',
    }),
    z.refine(({ objective: { type }, distillation }) => type !== 'classification' || distillation === undefined, {
      path: ['distillation'],
      error: 'a teacher is for tokens: leave "distillation" out for classification, or take objective distillation',
    }),
  );
});

export type TrainingConfiguration = z.output<typeof trainingSchema>;
export type Objective = TrainingConfiguration['objective'];
export type DistillationConfiguration = NonNullable<TrainingConfiguration['distillation']>;
/** A configuration as written by a person: every key optional. */
export type TrainingOptions = z.input<typeof trainingSchema>;

/**
 * Fills in defaults and validates.
 * @param where names the file or option in errors
 * @throws ConfigurationError naming the key that is unknown or out of range.
 */
export function parseTrainingConfiguration(
  value: unknown,
  where = 'the training configuration',
): TrainingConfiguration {
  return parseConfiguration(trainingSchema, value, where);
}

export const objectiveKind: OptionKind = option.parsed(
  'an objective, such as { type: "nextToken" }',
  z.lazy(objective),
);
