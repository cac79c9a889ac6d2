import { checkArguments, checkOptions, option } from '../base/options.ts';
import { entriesKind } from '../storage/safetensors.ts';

/** A training run in a directory: updates, evaluations, metrics.jsonl and checkpoints, interruptible at any moment. */

import { join } from 'node:path';
import { ConfigurationError } from '../base/errors.ts';
import { seedWords } from '../base/random.ts';
import type { Batch } from '../data/batches/windows.ts';
import type { LossFunction } from '../model/losses.ts';
import { type Transformer, transformerKind } from '../model/transformer.ts';
import { type FileSystem, nodeFileSystem } from '../storage/atomic-directory.ts';
import { checkpointDirectory } from '../storage/model-directory.ts';
import { readWeights } from '../storage/weights.ts';
import { type Checkpoint, prepareRun, saveCheckpoint, type TrainingState } from './checkpoint.ts';
import { parseTrainingConfiguration, type TrainingConfiguration } from './configuration.ts';
import { changedParts, type DataFingerprint } from './data-fingerprint.ts';
import { type Evaluation, evaluate } from './evaluate.ts';
import { MetricsLog } from './metrics.ts';
import { lockRun, type RunLock } from './run-lock.ts';
import type { Teacher } from './teacher.ts';
import { dataKind, type StepResult, Trainer, type TrainingData } from './trainer.ts';

/** Held-out data. */
export interface HeldOutData {
  batches(): Iterable<Batch> | AsyncIterable<Batch>;
  /** Number of characters that all counted targets stand for. */
  readonly characters?: number;
}

export interface RunOptions {
  /** Directory of the run. */
  readonly out: string;
  /** Its weights are those of `resume`, if given: see `restoreModel`. */
  readonly model: Transformer;
  readonly data: TrainingData;
  /** Identifies the data, such as {@link dataFingerprint} does: a run does not resume on other data. */
  readonly dataFingerprint: DataFingerprint;
  readonly heldOut?: HeldOutData | undefined;
  readonly configuration: TrainingConfiguration;
  /** Text of tokenizer.json, stored in every checkpoint. */
  readonly tokenizer?: string | undefined;
  /** Text of hugging-face.json, stored likewise. */
  readonly companions?: string | undefined;
  /** What the model and the tokens were made of, as JSON: stored in training.json of every checkpoint, for the caller to compare. */
  readonly origin?: Readonly<Record<string, unknown>> | undefined;
  /** Where to continue from; default: the beginning. */
  readonly resume?: { readonly checkpoint: Checkpoint; readonly directory: string } | undefined;
  /** Aborting it ends the run after the update in progress, with a checkpoint. */
  readonly signal?: AbortSignal | undefined;
  /** Default: next-token loss. */
  readonly loss?: LossFunction | undefined;
  /** With `distillation` in the configuration: what {@link loadTeacher} gave. The teacher stays the caller's. */
  readonly teacher?: Teacher | undefined;
  /**
   * Ends the run, with an evaluation and a checkpoint, after the update in which this much time is over. The limit
   * changes no update, so a run that resumes later continues as if it had not stopped. Default: no end but the last
   * step.
   */
  readonly minutes?: number | undefined;
  /** The lock of `out`, which stays the caller's. Default: the run locks `out` until it ends. */
  readonly lock?: RunLock | undefined;
  readonly fileSystem?: FileSystem;
}

/**
 * What happens in a run, in order. `seconds` is the time that the event's work took, `dataSeconds` that part of it in which
 * an update waited for its batches.
 */
export type RunEvent =
  | ({ readonly kind: 'step'; readonly seconds: number; readonly dataSeconds: number } & StepResult)
  | ({ readonly kind: 'evaluation'; readonly step: number; readonly seconds: number } & Evaluation)
  | { readonly kind: 'checkpoint'; readonly step: number; readonly seconds: number; readonly directory: string };

/**
 * Trains until `configuration.steps` updates are made or `signal` aborts. The consumer drives it: each event is
 * yielded before the next piece of work starts. Events `checkpoint` follow a checkpoint that is safely on the disk.
 *
 * @throws FileError when another training runs in `out`, or the disk is full
 * @throws ConfigurationError when the loss or gradient is not finite, or `resume` does not belong to this seed and
 *   data. Checkpoints made before are intact.
 */
export async function* train(options: RunOptions): AsyncGenerator<RunEvent, void, undefined> {
  checkArguments('train', { options }, { options: option.plain });
  checkOptions<RunOptions>('train', options, {
    out: option.string,
    model: transformerKind,
    data: dataKind,
    dataFingerprint: option.either(option.string, option.recordOf(option.string)),
    heldOut: option.having('held-out data', { batches: option.function, characters: option.optional(option.number) }),
    configuration: option.plain,
    tokenizer: option.string,
    companions: option.string,
    origin: option.plain,
    resume: option.having('a checkpoint and its directory', { checkpoint: checkpointKind, directory: option.string }),
    signal: option.signal,
    loss: option.function,
    teacher: option.having('what loadTeacher() gives', {
      model: transformerKind,
      directory: option.string,
      fingerprint: option.string,
    }),
    minutes: option.number,
    lock: option.having('what lockRun() gives', { release: option.function }),
    fileSystem: option.object,
  });
  const { out, data, model } = options;
  checkArguments('train', { out, data, model }, { out: option.string, data: dataKind, model: transformerKind });
  const lock = options.lock ?? (await lockRun(options.out));
  try {
    yield* trainLocked({ ...options, configuration: parseTrainingConfiguration(options.configuration) });
  } finally {
    if (lock !== options.lock) lock.release();
  }
}

async function* trainLocked(options: RunOptions): AsyncGenerator<RunEvent, void, undefined> {
  const { out, model, configuration, resume, heldOut, signal, fileSystem = nodeFileSystem } = options;
  const { steps, evaluateEvery, checkpointEvery } = configuration;
  const end = performance.now() + 60_000 * (options.minutes ?? Number.POSITIVE_INFINITY);
  const data = new WatchedData(options.data);
  const trainer = new Trainer({ model, data, configuration, loss: options.loss, teacher: options.teacher?.model });
  let metrics: MetricsLog | undefined;
  try {
    if (resume) restoreTrainer(trainer, resume, options);
    let best = resume?.checkpoint.training.best ?? null;
    let savedStep = resume && trainer.completedSteps;
    let newest = resume?.directory;
    await prepareRun(out, trainer.completedSteps, fileSystem);
    metrics = new MetricsLog(join(out, 'metrics.jsonl'), trainer.completedSteps);
    // An interruption comes before the evaluation that its step was due for.
    const due = trainer.completedSteps > 0 && isDue(trainer.completedSteps, evaluateEvery, steps);
    if (heldOut && due && metrics.last?.heldOutLoss === undefined && !signal?.aborted) {
      yield await evaluateNow(heldOut);
      savedStep = undefined;
    }
    let isOver = false;
    while (trainer.completedSteps < steps && !signal?.aborted && !isOver) {
      const result = await timed(() => trainer.step().catch((error: unknown) => explain(error, newest)));
      const step = result.step;
      metrics.append({ ...result });
      yield { kind: 'step', ...result, dataSeconds: data.takeSeconds() };
      isOver = performance.now() >= end;
      if (heldOut && (isOver || isDue(step, evaluateEvery, steps)) && !signal?.aborted)
        yield await evaluateNow(heldOut);
      if (isOver || isDue(step, checkpointEvery, steps) || signal?.aborted) {
        yield await save(best);
        savedStep = step;
      }
    }
    // Aborted between the last update's checks and here, or before the first update.
    if (trainer.completedSteps !== savedStep) yield await save(best);

    async function evaluateNow(held: HeldOutData): Promise<RunEvent> {
      const step = trainer.completedSteps;
      const evaluation = await timed(() =>
        evaluate(model, held.batches(), {
          characters: held.characters,
          objective: configuration.objective,
          loss: options.loss,
          teacher: trainer.distillation,
        }),
      );
      if (!best || evaluation.loss < best.loss) best = { step, loss: evaluation.loss };
      metrics?.append({
        step,
        heldOutLoss: evaluation.loss,
        heldOutAccuracy: evaluation.accuracy,
        perplexity: evaluation.perplexity,
        bitsPerCharacter: evaluation.bitsPerCharacter ?? null,
        ...heldOutErrors(evaluation),
        seconds: evaluation.seconds,
      });
      return { kind: 'evaluation', step, ...evaluation };
    }

    async function save(bestSoFar: TrainingState['best']): Promise<RunEvent> {
      metrics?.sync();
      const step = trainer.completedSteps;
      const { seconds } = await timed(async () => {
        const checkpoint = await snapshot(options, trainer, bestSoFar);
        await saveCheckpoint(out, checkpoint, configuration.keepCheckpoints, fileSystem);
        return {};
      });
      newest = checkpointDirectory(out, step);
      return { kind: 'checkpoint', step, seconds, directory: newest };
    }
  } finally {
    metrics?.close();
    trainer.dispose();
  }
}

/** Training data, and how long it was waited for. */
class WatchedData implements TrainingData {
  #seconds = 0;

  constructor(readonly data: TrainingData) {}

  async batchAt(index: number): Promise<Batch> {
    const start = performance.now();
    const batch = await this.data.batchAt(index);
    this.#seconds += (performance.now() - start) / 1000;
    return batch;
  }

  /** Seconds since this was asked last. */
  takeSeconds(): number {
    const seconds = this.#seconds;
    this.#seconds = 0;
    return seconds;
  }
}

function restoreTrainer(
  trainer: Trainer,
  { checkpoint: { training, optimizer }, directory }: NonNullable<RunOptions['resume']>,
  { dataFingerprint, teacher }: Pick<RunOptions, 'dataFingerprint' | 'teacher'>,
): void {
  const { seed } = trainer.configuration;
  if (training.seed !== seed) {
    throw new ConfigurationError(
      `${directory} was trained with seed ${training.seed}, not ${seed}: resume it with that seed.`,
    );
  }
  if (training.teacher?.fingerprint !== teacher?.fingerprint) {
    const fix = training.teacher
      ? `resume it with the model that was in ${training.teacher.directory}`
      : 'resume it without one';
    throw new ConfigurationError(
      `${directory} was trained with ${training.teacher ? 'another' : 'no'} teacher: ${fix}.`,
    );
  }
  for (const key of ['length', 'batchSize', 'accumulate', 'packing', 'objective'] as const) {
    const [before, now] = [training.configuration[key], trainer.configuration[key]].map((value) =>
      JSON.stringify(value),
    );
    if (before === now) continue;
    throw new ConfigurationError(
      `${directory} was trained with ${key} ${before ?? 'unset'}, not ${now ?? 'unset'}: resume it with what it had, or start a new run.`,
    );
  }
  const changed = changedParts(training.data.fingerprint, dataFingerprint);
  if (changed.length > 0) {
    const which = changed[0] === 'data' ? '' : ` (its ${changed.join(' and ')} differ)`;
    throw new ConfigurationError(
      `${directory} was trained on other data${which}: resume it with the same --data, options and tokenizer, or start a new run.`,
    );
  }
  trainer.restore(training.step, training.data.position, optimizer, join(directory, 'optimizer.safetensors'));
}

async function snapshot(options: RunOptions, trainer: Trainer, best: TrainingState['best']): Promise<Checkpoint> {
  const { seed } = options.configuration;
  return {
    config: options.model.configuration,
    weights: await readWeights(options.model),
    tokenizer: options.tokenizer,
    companions: options.companions,
    optimizer: await trainer.saveOptimizer(),
    training: {
      step: trainer.completedSteps,
      seed,
      data: { position: trainer.dataPosition, fingerprint: options.dataFingerprint },
      generator: { kind: 'philox4x32-10', key: seedWords(seed) },
      configuration: options.configuration,
      ...(options.origin && { origin: options.origin }),
      ...(options.teacher && {
        teacher: { directory: options.teacher.directory, fingerprint: options.teacher.fingerprint },
      }),
      best,
    },
  };
}

/** Errors against the teacher, for metrics.jsonl. */
function heldOutErrors({ attentionError, logitsError, hiddenError }: Evaluation): Record<string, number> {
  return {
    ...(attentionError !== undefined && { heldOutAttentionError: attentionError }),
    ...(logitsError !== undefined && { heldOutLogitsError: logitsError }),
    ...(hiddenError !== undefined && { heldOutHiddenError: hiddenError }),
  };
}

/** True for every `interval`th step and the last one. */
function isDue(step: number, interval: number, steps: number): boolean {
  return step === steps || (interval > 0 && step % interval === 0);
}

/** Adds to an error of training from where the run can continue. */
function explain(error: unknown, checkpoint: string | undefined): never {
  if (!(error instanceof Error) || checkpoint === undefined) throw error;
  throw new ConfigurationError(
    `${error.message.replace(/\.$/, '')}; the checkpoint ${checkpoint} is intact: continue from there.`,
    {
      cause: error,
    },
  );
}

async function timed<T extends object>(work: () => Promise<T>): Promise<T & { seconds: number }> {
  const start = performance.now();
  const result = await work();
  return { ...result, seconds: (performance.now() - start) / 1000 };
}

const checkpointKind = option.having('what loadCheckpoint() gives', {
  training: option.plain,
  optimizer: entriesKind,
});
