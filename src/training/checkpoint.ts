/**
 * Checkpoints of a run. A run's directory OUT holds
 *
 *     metrics.jsonl
 *     checkpoints/step-00000200/
 *       model.safetensors      weights and projections
 *       config.json            the model's configuration
 *       tokenizer.json
 *       optimizer.safetensors  moments
 *       training.json          step, seed, data position, generator state, training configuration, teacher, best metrics
 *
 * and each checkpoint appears whole or not at all.
 */

import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ConfigurationError, DataError, FileError } from '../base/errors.ts';
import { parseConfiguration } from '../base/parse.ts';
import { z } from '../base/zod.ts';
import { decodeSafetensors, encodeSafetensors, type TensorEntry } from '../pretrained/safetensors.ts';
import {
  cleanLeftovers,
  explainWriteError,
  type FileSystem,
  nodeFileSystem,
  removeDirectoryAtomically,
  writeDirectoryAtomically,
} from './atomic.ts';
import { type TrainingConfiguration, trainingSchema } from './configuration.ts';

const stateSchema = z.lazy(() => {
  const word = z.int().check(z.minimum(0), z.maximum(0xffffffff));
  const count = z.int().check(z.minimum(0));
  return z.strictObject({
    /** Completed updates. */
    step: count,
    seed: count,
    data: z.strictObject({
      /** Index of the micro-batch that comes next. */
      position: count,
      /** What identifies the data: a run must not resume on other data. */
      fingerprint: z.string(),
    }),
    /** Counter-based, so its state is the seed as a key: every draw's counter follows from the step and its purpose. */
    generator: z.strictObject({ kind: z.literal('philox4x32-10'), key: z.tuple([word, word]) }),
    configuration: trainingSchema,
    /** The model that is learnt from: a run must not resume with another. */
    teacher: z.optional(z.strictObject({ directory: z.string(), fingerprint: z.string() })),
    /** Lowest held-out loss so far, in nats per token; null before the first evaluation. */
    best: z.nullable(z.strictObject({ step: count, loss: z.number() })),
  });
});

/** Contents of training.json. */
export interface TrainingState extends z.output<typeof stateSchema> {
  readonly configuration: TrainingConfiguration;
}

export interface ModelFiles {
  /** Parsed config.json; the model's own parser validates it. */
  readonly config: unknown;
  readonly weights: ReadonlyMap<string, TensorEntry>;
  /** Text of tokenizer.json; undefined when the directory has none. */
  readonly tokenizer: string | undefined;
}

export interface Checkpoint extends ModelFiles {
  readonly optimizer: ReadonlyMap<string, TensorEntry>;
  readonly training: TrainingState;
}

const MODEL = 'model.safetensors';
const OPTIMIZER = 'optimizer.safetensors';
const CONFIG = 'config.json';
const TOKENIZER = 'tokenizer.json';
const TRAINING = 'training.json';
const NAME = /^step-(\d{8,})$/;

function checkpointName(step: number): string {
  return `step-${String(step).padStart(8, '0')}`;
}

/** Directory of the checkpoint of `step` in the run `out`. */
export function checkpointDirectory(out: string, step: number): string {
  return join(out, 'checkpoints', checkpointName(step));
}

/**
 * Writes a checkpoint into the run `out` and removes all but the newest `keep`.
 * @returns the checkpoint's directory
 * @throws one sentence when it cannot be written; earlier checkpoints are then intact.
 */
export async function saveCheckpoint(
  out: string,
  checkpoint: Checkpoint,
  keep: number,
  fileSystem: FileSystem = nodeFileSystem,
): Promise<string> {
  const directory = checkpointDirectory(out, checkpoint.training.step);
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  const files = new Map<string, Uint8Array | string>([
    [MODEL, encodeSafetensors(checkpoint.weights)],
    [OPTIMIZER, encodeSafetensors(checkpoint.optimizer)],
    [CONFIG, json(checkpoint.config)],
    [TRAINING, json(checkpoint.training)],
  ]);
  if (checkpoint.tokenizer !== undefined) files.set(TOKENIZER, checkpoint.tokenizer);
  await writeDirectoryAtomically(directory, files, fileSystem);
  const parent = dirname(directory);
  const steps = await checkpointSteps(parent, fileSystem);
  for (const step of steps.slice(keep)) await removeDirectoryAtomically(checkpointDirectory(out, step), fileSystem);
  return directory;
}

/** Steps of the checkpoints in `parent`, newest first. */
async function checkpointSteps(parent: string, fileSystem: FileSystem = nodeFileSystem): Promise<number[]> {
  const names = await fileSystem.list(parent).catch(() => []);
  return names
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

/**
 * Finds the model that `path` means: a run's directory or its checkpoints/ (the newest), or one checkpoint or model directory.
 * @throws one sentence when there is no model.
 */
export async function findCheckpoint(path: string): Promise<string> {
  const information = await stat(path).catch(() => undefined);
  if (!information) throw new FileError(`There is no ${path}: name the directory of a run or of one checkpoint.`);
  if (!information.isDirectory()) {
    throw new FileError(`${path} is a file: name the directory of a run or of one checkpoint.`);
  }
  if (await exists(join(path, MODEL))) return path;
  for (const parent of [join(path, 'checkpoints'), path]) {
    const [newest] = await checkpointSteps(parent);
    if (newest !== undefined) return join(parent, checkpointName(newest));
  }
  throw new FileError(
    `${path} holds no model (neither ${MODEL} nor checkpoints/): name the --out directory of a run, or train one with \`performers train --out ${path}\`.`,
  );
}

/** Whether a model directory also says how far its training is, so that a run can resume from it. */
export function isCheckpoint(directory: string): Promise<boolean> {
  return exists(join(directory, TRAINING));
}

/**
 * Reads weights, configuration and tokenizer of a model directory, for inference.
 * @throws one sentence naming the file that is missing or damaged, and an intact older checkpoint if there is one.
 */
export function loadModelFiles(directory: string): Promise<ModelFiles> {
  return withFallback(directory, readModelFiles);
}

/**
 * Reads a whole checkpoint, to resume training.
 * @throws one sentence naming the file that is missing or damaged, and an intact older checkpoint if there is one.
 */
export function loadCheckpoint(directory: string): Promise<Checkpoint> {
  return withFallback(directory, readCheckpoint);
}

async function readModelFiles(directory: string): Promise<ModelFiles> {
  return {
    config: await readJson(join(directory, CONFIG)),
    weights: decodeSafetensors(await read(join(directory, MODEL)), join(directory, MODEL)).tensors,
    tokenizer: (await exists(join(directory, TOKENIZER)))
      ? await readFile(join(directory, TOKENIZER), 'utf8')
      : undefined,
  };
}

async function readCheckpoint(directory: string): Promise<Checkpoint> {
  const where = join(directory, TRAINING);
  const training = parseConfiguration(stateSchema, await readJson(where), where);
  const optimizer = decodeSafetensors(await read(join(directory, OPTIMIZER)), join(directory, OPTIMIZER)).tensors;
  return { ...(await readModelFiles(directory)), optimizer, training };
}

/** Reads `directory`; if that fails, adds to the error which older checkpoint beside it can be read. */
async function withFallback<T>(directory: string, readFiles: (directory: string) => Promise<T>): Promise<T> {
  try {
    return await readFiles(directory);
  } catch (error) {
    const parent = dirname(directory);
    const own = Number(NAME.exec(basename(directory))?.[1] ?? Number.NaN);
    for (const step of await checkpointSteps(parent)) {
      if (!(step < own)) continue;
      const older = join(parent, checkpointName(step));
      if (!(await readFiles(older).catch(() => undefined))) continue;
      const message = (error as Error).message.replace(/\.$/, '');
      throw new ConfigurationError(
        `${message}; the older checkpoint ${older} is intact: name that directory to use it.`,
        {
          cause: error,
        },
      );
    }
    throw error;
  }
}

/**
 * Readies the run directory `out` for training from `step` on: clears what killed writers left and renames checkpoints
 * of later steps to `step-N.superseded`, which happens when a run resumes from an older checkpoint than its newest.
 * @returns the new paths of the superseded checkpoints
 */
export async function prepareRun(
  out: string,
  step: number,
  fileSystem: FileSystem = nodeFileSystem,
): Promise<string[]> {
  const parent = join(out, 'checkpoints');
  const moved: string[] = [];
  try {
    await fileSystem.mkdir(parent);
    await cleanLeftovers(parent, fileSystem);
    for (const later of await checkpointSteps(parent, fileSystem)) {
      if (later <= step) continue;
      const path = checkpointDirectory(out, later);
      await removeDirectoryAtomically(`${path}.superseded`, fileSystem);
      await fileSystem.rename(path, `${path}.superseded`);
      moved.push(`${path}.superseded`);
    }
  } catch (error) {
    throw explainWriteError(error, parent);
  }
  return moved;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'is missing' : 'cannot be read';
    throw new ConfigurationError(`${path} ${why}: restore it from a copy or use another checkpoint.`, { cause: error });
  }
}

async function readJson(path: string): Promise<unknown> {
  return parseJson(new TextDecoder().decode(await read(path)), path);
}

/** @throws one sentence naming the file when `text` is not JSON. */
export function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DataError(`${path} is damaged (it is not JSON): restore it from a copy or use another checkpoint.`, {
      cause: error,
    });
  }
}
