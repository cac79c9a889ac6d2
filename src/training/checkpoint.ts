/** Checkpoints of a run: a model directory with what training needs to resume. Each appears whole or not at all. */

import { dirname, join } from 'node:path';
import { Pauses, type Stoppable } from '../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../base/options.ts';
import { parseConfiguration } from '../base/parse-configuration.ts';
import { explainWriteError } from '../base/write-errors.ts';
import { z } from '../base/zod.ts';
import {
  cleanLeftovers,
  type FileSystem,
  nodeFileSystem,
  removeDirectoryAtomically,
  writeDirectoryAtomically,
} from '../storage/atomic-directory.ts';
import { checksumsOf } from '../storage/checksums.ts';
import {
  checkpointDirectory,
  checkpointSteps,
  fileNames,
  type ModelFiles,
  modelFilesOf,
  parseJson,
  readFiles,
  textOf,
  withFallback,
} from '../storage/model-directory.ts';
import { decodeSafetensors, encodeSafetensors, type TensorEntry } from '../storage/safetensors.ts';
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
      fingerprint: z.union([z.string(), z.record(z.string(), z.string())]),
    }),
    /** Counter-based, so its state is the seed as a key: every draw's counter follows from the step and its purpose. */
    generator: z.strictObject({ kind: z.literal('philox4x32-10'), key: z.tuple([word, word]) }),
    configuration: trainingSchema,
    /** What the caller made the model and the tokens of, as JSON: it knows again whether that has changed. */
    origin: z.optional(z.record(z.string(), z.unknown())),
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

export interface Checkpoint extends ModelFiles {
  readonly optimizer: ReadonlyMap<string, TensorEntry>;
  readonly training: TrainingState;
}

/**
 * Writes a checkpoint into the run `out` and removes all but the newest `keep`.
 * @returns the checkpoint's directory
 * @throws DataError when it cannot be written; earlier checkpoints are then intact.
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
    [fileNames.config, json(checkpoint.config)],
    [fileNames.training, json(checkpoint.training)],
  ]);
  if (checkpoint.tokenizer !== undefined) files.set(fileNames.tokenizer, checkpoint.tokenizer);
  if (checkpoint.companions !== undefined) files.set(fileNames.companions, checkpoint.companions);
  files.set(fileNames.checksums, checksumsOf(files));
  files
    .set(fileNames.weights, encodeSafetensors(checkpoint.weights))
    .set(fileNames.optimizer, encodeSafetensors(checkpoint.optimizer));
  await writeDirectoryAtomically(directory, files, fileSystem);
  const parent = dirname(directory);
  const steps = await checkpointSteps(parent, fileSystem);
  for (const step of steps.slice(keep)) await removeDirectoryAtomically(checkpointDirectory(out, step), fileSystem);
  return directory;
}

/**
 * Reads a whole checkpoint, to resume training.
 * @throws FileError naming the file that is missing or damaged, and an intact older checkpoint if there is one.
 */
export async function loadCheckpoint(directory: string, options: Stoppable = {}): Promise<Checkpoint> {
  checkArguments('loadCheckpoint', { directory }, { directory: option.string });
  checkOptions<Stoppable>('loadCheckpoint', options, { signal: option.signal });
  return withFallback(directory, readCheckpoint, new Pauses(options.signal));
}

async function readCheckpoint(directory: string, pauses: Pauses): Promise<Checkpoint> {
  const files = await readFiles(
    directory,
    [fileNames.training, fileNames.config, fileNames.weights, fileNames.optimizer],
    pauses,
  );
  const where = join(directory, fileNames.training);
  const training = parseConfiguration(stateSchema, parseJson(textOf(files.get(fileNames.training)!), where), where);
  const optimizer = decodeSafetensors(files.get(fileNames.optimizer)!, join(directory, fileNames.optimizer)).tensors;
  await pauses.next();
  return { ...modelFilesOf(directory, files), optimizer, training };
}

/**
 * Readies the run directory `out` for training from `step` on. Clears what killed writers left, and renames checkpoints
 * of later steps to `step-N.superseded`. Later steps exist when a run resumes from an older checkpoint than its newest.
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
