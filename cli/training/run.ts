import { readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { TokenSplit } from '../../src/entries/data.ts';
import {
  checkObjective,
  checkTeacher,
  dataFingerprint,
  explainWriteError,
  findCheckpoint,
  lockRun,
  parseConfiguration,
  parseJson,
  readNewest,
  restoreModel,
  transformerSchema,
} from '../../src/entries/internal.ts';
import {
  type Backend,
  ConfigurationError,
  type Stoppable,
  Transformer,
  type TransformerConfiguration,
} from '../../src/entries/performers.ts';
import { loadAnyTokenizer } from '../../src/entries/tokenizers.ts';
import {
  type Checkpoint,
  type Evaluation,
  type HeldOutData,
  heldOutBatches,
  loadCheckpoint,
  loadTeacher,
  type Objective,
  type RunLock,
  type Teacher,
  type TeacherErrors,
  type TrainingConfiguration,
  train,
  trainingBatches,
  type Vocabulary,
} from '../../src/entries/training.ts';
import { formatCount, formatSeconds, say } from '../output.ts';
import { TrainingProgress } from '../progress.ts';
import { documentClasses } from './classes.ts';
import { type RunConfiguration, runSchema } from './configuration.ts';
import { type Corpus, openCorpus, tokenize, vocabularyOf } from './corpus.ts';

/** A run that can be trained: new, or as its newest checkpoint left it. */
export interface Run {
  readonly out: string;
  readonly configuration: RunConfiguration;
  readonly corpus: Corpus;
  readonly model: Transformer;
  /** Of the documents; for classification alone. */
  readonly classes: readonly string[] | undefined;
  readonly resume: { checkpoint: Checkpoint; directory: string } | undefined;
  /** What is learnt from, with `distillation` in the configuration. */
  readonly teacher: Teacher | undefined;
  /** Of `out`; training to the end releases it. */
  readonly lock: RunLock;
  /** Text of hugging-face.json of the model that training started from. */
  readonly companions?: string | undefined;
}

export interface RunResult {
  readonly step: number;
  readonly interrupted: boolean;
  /** The last evaluation made; undefined before the first. */
  readonly evaluation: Evaluation | undefined;
  /** Seconds spent in updates, and the tokens of these. */
  readonly seconds: number;
  readonly tokens: number;
  /** How many of these seconds updates waited for data. */
  readonly dataSeconds: number;
  readonly checkpoint: string | undefined;
}

const evaluationBatchSize = 4;

/** Updates of a run that time alone ends. */
export const endless = 1_000_000;

/** True when `out` holds a checkpoint. */
export async function hasCheckpoint(out: string): Promise<boolean> {
  return findCheckpoint(out).then(
    () => true,
    () => false,
  );
}

/**
 * Opens a run whose directory nobody else trains in.
 *
 * @param open makes the run, or finds it again
 * @throws FileError when another process trains in `out`, or it cannot be written
 */
export async function withLock(out: string, open: (lock: RunLock) => Promise<Run>): Promise<Run> {
  const before = await readdir(out).catch((error) => (error.code === 'ENOENT' ? [] : undefined));
  const lock = await lockRun(out);
  if (lock.takenOver) say(lock.takenOver);
  try {
    const run = await open(lock);
    batchesOf(run);
    return run;
  } catch (error) {
    lock.release();
    if (before) await removeNew(out, before);
    throw error;
  }
}

/** Removes what a refused run left: everything that was not in `out` before, and `out` itself if it was empty. */
async function removeNew(out: string, before: readonly string[]): Promise<void> {
  for (const name of await readdir(out).catch(() => [])) {
    if (!before.includes(name)) await rm(join(out, name), { recursive: true, force: true });
  }
  if (before.length === 0) await rmdir(out).catch(() => undefined);
}

/** The batches of a run's training. @throws ConfigurationError where the text is too short for a batch */
function batchesOf({ configuration: { training }, corpus: { store, tokenizer, dataset } }: Run) {
  return trainingBatches(store.train, training, vocabularyOf(tokenizer, dataset));
}

/** @throws ConfigurationError when `out` already holds a run */
export async function checkNoRun(out: string): Promise<void> {
  if (!(await hasCheckpoint(out))) return;
  throw new ConfigurationError(`${out} already holds a run: add --resume to continue it, or choose another --out.`);
}

/** The configuration of a new run's model. @throws ConfigurationError when it is not valid or cannot learn the objective */
export function newModelConfiguration(
  { model: options, training }: Pick<RunConfiguration, 'model' | 'training'>,
  { vocabSize, numClasses }: { readonly vocabSize: number; readonly numClasses: number | undefined },
): TransformerConfiguration {
  checkFollows('vocabSize', options.vocabSize, vocabSize, 'the tokenizer');
  if (numClasses !== undefined) checkFollows('numClasses', options.numClasses, numClasses, 'the classes of the data');
  const maxLength = Number(options.maxLength ?? training.length);
  if (maxLength < training.length) throw belowWindow(maxLength, training.length);
  const values = {
    causal: training.objective.type === 'nextToken',
    ...options,
    ...(numClasses !== undefined && { numClasses }),
    maxLength,
    vocabSize,
  };
  const configuration = parseConfiguration(transformerSchema, values, 'the model configuration');
  checkObjective(training.objective, configuration);
  return configuration;
}

export function belowWindow(maxLength: unknown, length: number): ConfigurationError {
  return new ConfigurationError(
    `Key "model.maxLength" is ${maxLength}, below the ${length} tokens of a window: raise it, or shorten the windows with --length.`,
  );
}

/** @throws ConfigurationError when a key of the model is given, and not as what it follows from has it */
function checkFollows(key: string, given: unknown, value: number, from: string): void {
  if (given === undefined || given === value) return;
  throw new ConfigurationError(
    `Key "model.${key}" is ${JSON.stringify(given)}, but ${value} follows from ${from}: leave the key out.`,
  );
}

/** Starts a run in `out`. @throws one sentence when `out` already holds one. */
export function startRun(
  backend: Backend,
  configuration: RunConfiguration,
  out: string,
  options: Stoppable = {},
): Promise<Run> {
  return withLock(out, (lock) => startLocked(backend, configuration, out, lock, options));
}

async function startLocked(
  backend: Backend,
  configuration: RunConfiguration,
  out: string,
  lock: RunLock,
  options: Stoppable,
): Promise<Run> {
  await checkNoRun(out);
  const { training, teacher } = await withTeacher(backend, configuration.training, options);
  const corpus = await openCorpus(configuration, out, options);
  const classes = classesOf(configuration, corpus);
  const modelConfiguration = newModelConfiguration(
    { ...configuration, training },
    { vocabSize: vocabularyOf(corpus.tokenizer, corpus.dataset).vocabSize, numClasses: classes?.length },
  );
  const model = new Transformer(backend, modelConfiguration, training.seed);
  const stored = await storeConfiguration(out, { ...configuration, training, ...corpus.source });
  return { out, configuration: stored, corpus, model, classes, resume: undefined, teacher, lock };
}

/** Writes run.json, from which a run resumes. */
export async function storeConfiguration(out: string, configuration: RunConfiguration): Promise<RunConfiguration> {
  const path = join(out, 'run.json');
  await writeFile(path, `${JSON.stringify(configuration, null, 2)}\n`).catch((error) => {
    throw explainWriteError(error, path);
  });
  return configuration;
}

/**
 * Loads the teacher that a configuration asks for, and notes where the teacher is.
 *
 * @param initial what training starts from, which is the teacher if the configuration names none
 * @throws ConfigurationError when there is no teacher, or it is not of the kind of the initial model
 */
export async function withTeacher(
  backend: Backend,
  training: TrainingConfiguration,
  options: Stoppable,
  initial?: { readonly directory: string; readonly configuration: TransformerConfiguration },
): Promise<{ training: TrainingConfiguration; teacher: Teacher | undefined }> {
  const { distillation } = training;
  if (!distillation) return { training, teacher: undefined };
  const path = distillation.teacher ?? initial?.directory;
  if (path === undefined) {
    throw new ConfigurationError(
      'Nobody is there to learn from: set "distillation": {"teacher": DIR}, or use performers finetune.',
    );
  }
  const teacher = await loadTeacher(backend, resolve(path), options);
  if (initial) checkTeacher(teacher.model.configuration, initial.configuration, distillation);
  return { training: { ...training, distillation: { ...distillation, teacher: teacher.directory } }, teacher };
}

interface ResumeLimits {
  /** Total number of updates, if it should change. */
  readonly steps?: number | undefined;
  /** Of this part of the run. */
  readonly minutes?: number | undefined;
}

/** The newest checkpoint of the run in `out`, and the configuration that the run continues with. */
export async function readRun(out: string, { steps, minutes }: ResumeLimits = {}, options: Stoppable = {}) {
  const { directory, checkpoint } = await readNewest(out, async (newest) => {
    return { directory: newest, checkpoint: await loadCheckpoint(newest, options) };
  });
  const path = join(out, 'run.json');
  const text = await readFile(path, 'utf8').catch(() => {
    throw new ConfigurationError(
      `${path} is missing, so the data of this run is not known: start a new run with --data.`,
    );
  });
  const { training } = checkpoint;
  const stored = parseConfiguration(runSchema, parseJson(text, path), path);
  checkUnchanged(stored.training, training.configuration, path, 'steps');
  const trained = parseConfiguration(transformerSchema, checkpoint.config, join(directory, 'config.json'));
  checkUnchanged(editedModel(trained, stored, path), trained, path);
  if (training.origin) checkUnchanged(originOf(stored), training.origin, path);
  const configuration = {
    ...stored,
    training: { ...training.configuration, steps: steps ?? stored.training.steps },
  };
  if (configuration.training.steps === endless && minutes === undefined) {
    throw new ConfigurationError(
      `The run in ${out} ends after some time, not after some steps: say how long with --minutes.`,
    );
  }
  return { checkpoint, directory, configuration };
}

/**
 * A run continues with what its checkpoints hold, so an edit of run.json would be ignored.
 *
 * @param free may differ
 * @throws ConfigurationError that names the key which differs
 */
function checkUnchanged<T extends object>(stored: T, trained: T, path: string, free?: keyof T): void {
  for (const key of Object.keys({ ...stored, ...trained }) as (keyof T & string)[]) {
    const [now, before] = [stored, trained].map((each) => JSON.stringify(each[key]));
    if (key === free || now === before) continue;
    throw new ConfigurationError(
      `${path} has ${key} ${now ?? 'unset'}, but the run was trained with ${before ?? 'unset'}: put that back, or start a new run.`,
    );
  }
}

/** What of a configuration decides about the model and the tokens, but is not found again in what these are. */
function originOf({ from, tokenizer, model }: RunConfiguration): Record<string, unknown> {
  const named = (prefix: string, value: object) =>
    Object.fromEntries(Object.entries(value).map(([key, each]) => [`${prefix}.${key}`, each]));
  return { ...(from !== undefined && { from }), ...named('tokenizer', tokenizer), ...named('model', model) };
}

/** A trained model's configuration with the keys of run.json, but for those that follow from the data and the rows. */
function editedModel(
  trained: TransformerConfiguration,
  { model, from, training: { length } }: RunConfiguration,
  path: string,
): TransformerConfiguration {
  const isFinetuned = from !== undefined;
  const { vocabSize, numClasses, causal } = trained;
  const usual = isFinetuned ? trained.maxLength : length;
  const maxLength = Math.max(length, Number(model.maxLength ?? usual));
  // A finetuned model has the keys of its initial model; a new one has the defaults of what is not given.
  const values = { ...(isFinetuned ? trained : { causal }), ...model, vocabSize, numClasses, maxLength };
  return parseConfiguration(transformerSchema, values, path);
}

/** Continues the run in `out` from its newest checkpoint. */
export async function resumeRun(
  backend: Backend,
  out: string,
  limits: ResumeLimits = {},
  options: Stoppable = {},
): Promise<Run> {
  // A directory that does not exist would be made by its lock.
  await findCheckpoint(out);
  return withLock(out, (lock) => resumeLocked(backend, out, limits, lock, options));
}

async function resumeLocked(
  backend: Backend,
  out: string,
  limits: ResumeLimits,
  lock: RunLock,
  options: Stoppable,
): Promise<Run> {
  const { checkpoint, directory, configuration } = await readRun(out, limits, options);
  const { training } = checkpoint;
  const where = join(directory, 'tokenizer.json');
  const tokenizer = await loadAnyTokenizer(parseJson(checkpoint.tokenizer ?? 'null', where), where);
  const corpus = await tokenize(configuration, tokenizer, out, options);
  const classes = classesOf(configuration, corpus);
  const model = restoreModel(backend, checkpoint, directory);
  const teacher = training.teacher && (await loadTeacher(backend, training.teacher.directory, options));
  const { companions } = checkpoint;
  return { out, configuration, corpus, model, classes, resume: { checkpoint, directory }, teacher, lock, companions };
}

function classesOf({ training }: RunConfiguration, { dataset, store }: Corpus): readonly string[] | undefined {
  return training.objective.type === 'classification' ? documentClasses(dataset, store) : undefined;
}

/**
 * Trains a run to its end, or until `signal` aborts, showing progress.
 *
 * @param label names the run on the progress bar
 * @param minutes after which it ends. Default: when all steps are made
 */
export async function finishRun(run: Run, label: string, signal: AbortSignal, minutes?: number): Promise<RunResult> {
  const { configuration, corpus, model, classes, resume, teacher, out, lock } = run;
  const { training } = configuration;
  const { store, tokenizer, dataset } = corpus;
  const vocabulary = vocabularyOf(tokenizer, dataset);
  const limit = configuration.evaluationBatches;
  const isImages = dataset.format === 'images';
  const startStep = resume?.checkpoint.training.step ?? 0;
  const progress = new TrainingProgress({
    label,
    ...{ steps: training.steps, startStep, minutes },
    charactersPerToken: predictsText(training) && !isImages ? store.train.characters / store.train.length : undefined,
  });
  let step = startStep;
  let evaluation: Evaluation | undefined;
  let checkpoint = resume?.directory;
  let seconds = 0;
  let dataSeconds = 0;
  let tokens = 0;
  try {
    const events = train({
      out,
      model,
      data: batchesOf(run),
      dataFingerprint: dataFingerprint(store, classes),
      heldOut: store.heldOut.length > 1 ? heldOutData(store.heldOut, training, vocabulary, limit) : undefined,
      configuration: training,
      tokenizer: `${JSON.stringify(tokenizer.toJSON())}\n`,
      companions: run.companions,
      origin: originOf(configuration),
      ...{ resume, signal, teacher, minutes, lock },
    });
    for await (const event of events) {
      if (event.kind === 'step') {
        // Now that nothing refuses to resume, run.json says how long the run is.
        if (resume && step === startStep && training.steps !== resume.checkpoint.training.configuration.steps) {
          await storeConfiguration(out, configuration);
        }
        step = event.step;
        seconds += event.seconds;
        dataSeconds += event.dataSeconds;
        // All places of the batches, where only some of them are predicted.
        const places = predictsText(training)
          ? event.tokens
          : training.accumulate * training.batchSize * training.length;
        tokens += places;
        progress.update({ ...event, tokens: places });
      } else if (event.kind === 'evaluation') {
        evaluation = event;
        progress.note(
          `${label}: step ${formatCount(event.step)}, ${describeEvaluation(event, training.objective, isImages)}`,
        );
      } else {
        checkpoint = event.directory;
      }
    }
  } finally {
    progress.stop();
    lock.release();
  }
  return {
    step,
    interrupted: signal.aborted && step < training.steps,
    evaluation,
    seconds,
    tokens,
    dataSeconds,
    checkpoint,
  };
}

/** What decides how held-out data is measured. */
export type Measured = Pick<TrainingConfiguration, 'objective' | 'packing' | 'length'>;

/**
 * Held-out data as batches of the objective.
 *
 * @param limit most batches, spread evenly over all. Default: all
 */
export function heldOutData(
  tokens: TokenSplit,
  measured: Measured,
  vocabulary: Vocabulary,
  limit = Number.POSITIVE_INFINITY,
): HeldOutData {
  const all = heldOutBatches(tokens, measured, vocabulary, evaluationBatchSize);
  if (all.numBatches <= limit) {
    return { batches: all.batches, characters: predictsText(measured) ? tokens.characters : undefined };
  }
  // How many characters are left is not known, so none are said.
  const batches = async function* () {
    for (let i = 0; i < limit; i++) yield await all.batchAt(Math.floor((i * all.numBatches) / limit));
  };
  return { batches, characters: undefined };
}

/** Whether the targets are all tokens of a text, so that bits per character can be told. */
function predictsText({
  objective,
  packing = 'windows',
}: Pick<TrainingConfiguration, 'objective' | 'packing'>): boolean {
  return objective.type === 'nextToken' && packing === 'windows';
}

/**
 * One line about held-out data.
 *
 * @param isImages tokens are values of pixels, so that bits per token are bits per dimension
 */
export function describeEvaluation(
  { bitsPerCharacter, bitsPerToken, perplexity, accuracy, ...errors }: Evaluation,
  { type }: Objective,
  isImages = false,
): string {
  const taught = describeErrors(errors);
  const share = `${(100 * accuracy).toFixed(1)} %`;
  if (type === 'classification') return `held out: class accuracy ${share}, perplexity ${perplexity.toFixed(2)}`;
  if (type === 'distillation') {
    return `held out: ${taught}${Number.isNaN(accuracy) ? '' : `, the teacher's likeliest token in ${share}`}`;
  }
  const bits = isImages
    ? `${bitsPerToken.toFixed(3)} bits/dimension, `
    : bitsPerCharacter === undefined
      ? ''
      : `${bitsPerCharacter.toFixed(3)} bits/character, `;
  const what = type === 'maskedToken' ? 'masked-token' : isImages ? 'next-value' : 'next-token';
  return `held out: ${bits}perplexity ${perplexity.toFixed(2)}, ${what} accuracy ${share}${taught && `; ${taught}`}`;
}

/** How far a model is from its teacher, empty without one. */
function describeErrors({ attentionError, logitsError, hiddenError }: TeacherErrors): string {
  const parts = [
    attentionError !== undefined && `attention ${attentionError.toPrecision(3)}`,
    hiddenError !== undefined && `hidden states ${hiddenError.toPrecision(3)}`,
    logitsError !== undefined && `logits ${logitsError.toPrecision(3)} nats`,
  ].filter(Boolean);
  return parts.length === 0 ? '' : `errors against the teacher: ${parts.join(', ')}`;
}

/** One line about speed. */
export function describeSpeed({ tokens, seconds, dataSeconds }: RunResult): string {
  const time = Math.max(seconds, 1e-9);
  return (
    `${formatCount(tokens)} tokens in ${formatSeconds(seconds)}, ${formatCount(tokens / time)} tokens/s, ` +
    `${((100 * dataSeconds) / time).toFixed(1)} % of the time waiting for data`
  );
}
