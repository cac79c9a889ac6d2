/**
 * The directory of a model: the one file that knows the names of its files. A run's directory OUT holds
 *
 *     metrics.jsonl
 *     checkpoints/step-00000200/
 *       model.safetensors      weights and projections
 *       config.json            the model's configuration
 *       tokenizer.json
 *       optimizer.safetensors  moments
 *       training.json          step, seed, data position, generator state, training configuration, teacher, best metrics
 *       SHA256SUMS             checksums of the files above that hold none themselves, as sha256sum -c reads them
 *
 * and each checkpoint appears whole or not at all.
 */

import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigurationError, DataError, FileError } from '../base/errors.ts';
import { Pauses, type Stoppable } from '../base/event-loop.ts';
import { parseJsonText } from '../base/json.ts';
import { checkArguments, checkOptions, option } from '../base/options.ts';
import { type FileSystem, nodeFileSystem } from './atomic-directory.ts';
import { verifyChecksum } from './checksums.ts';
import { COMPANIONS } from './companions.ts';
import { decodeSafetensors, type TensorEntry } from './safetensors.ts';

export interface ModelFiles {
  /** Parsed config.json; the model's own parser validates it. */
  readonly config: unknown;
  readonly weights: ReadonlyMap<string, TensorEntry>;
  /** Text of tokenizer.json; undefined when the directory has no such file. */
  readonly tokenizer: string | undefined;
  /** Text of hugging-face.json, what lay beside the pretrained model that this one comes from; undefined without one. */
  readonly companions?: string | undefined;
}

/** The files of a model directory. */
export const fileNames = {
  weights: 'model.safetensors',
  config: 'config.json',
  tokenizer: 'tokenizer.json',
  companions: COMPANIONS,
  optimizer: 'optimizer.safetensors',
  training: 'training.json',
  checksums: 'SHA256SUMS',
} as const;
const NAME = /^step-(\d{8,})$/;

function checkpointName(step: number): string {
  return `step-${String(step).padStart(8, '0')}`;
}

/** Directory of the checkpoint of `step` in the run `out`. */
export function checkpointDirectory(out: string, step: number): string {
  return join(out, 'checkpoints', checkpointName(step));
}

/** Steps of the checkpoints in `parent`, newest first. */
export async function checkpointSteps(parent: string, fileSystem: FileSystem = nodeFileSystem): Promise<number[]> {
  const names = await fileSystem.list(parent).catch(() => []);
  return names
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

/**
 * Finds the model that `path` means: a run's directory or its checkpoints/ (the newest), or one checkpoint or model directory.
 * @throws FileError when there is no model.
 */
export async function findCheckpoint(path: string): Promise<string> {
  checkArguments('findCheckpoint', { path }, { path: option.string });
  const information = await stat(path).catch(() => undefined);
  if (!information) throw new FileError(`There is no ${path}: name the directory of a run or of one checkpoint.`);
  if (!information.isDirectory()) {
    throw new FileError(`${path} is a file: name the directory of a run or of one checkpoint.`);
  }
  if (await exists(join(path, fileNames.weights))) return path;
  for (const parent of [join(path, 'checkpoints'), path]) {
    const [newest] = await checkpointSteps(parent);
    if (newest !== undefined) return join(parent, checkpointName(newest));
  }
  const config = await readFile(join(path, fileNames.config), 'utf8').catch(() => undefined);
  if (config !== undefined) refuseForeign(parseJson(config, join(path, fileNames.config)), path);
  throw new FileError(
    `${path} holds no model (neither ${fileNames.weights} nor checkpoints/): name the --out directory of a run, or train one with \`performers train --out ${path}\`.`,
  );
}

/** Whether a model directory also says how far its training is, so that a run can resume from it. */
export async function isCheckpoint(directory: string): Promise<boolean> {
  checkArguments('isCheckpoint', { directory }, { directory: option.string });
  return exists(join(directory, fileNames.training));
}

/**
 * Reads the model that `path` means, which {@link findCheckpoint} finds. A run that trains removes checkpoints while
 * they are read: this function then looks for the newest again.
 *
 * @param read reads a directory, such as {@link loadModelFiles} does
 * @throws FileError when there is no model, or a file of it is missing or damaged and no newer checkpoint has come
 */
export async function readNewest<T>(path: string, read: (directory: string) => Promise<T>): Promise<T> {
  checkArguments('readNewest', { path, read }, { path: option.string, read: option.function });
  for (let tries = 0; ; tries++) {
    const found = await locate(path);
    try {
      return await read(found.directory);
    } catch (error) {
      const now = await locate(path).catch(() => undefined);
      const isOther = now?.directory !== found.directory || now?.inode !== found.inode;
      if (isOther && tries < MOST_LOOKS) continue;
      throw error instanceof DamagedCheckpoint && found.directory !== path ? error.inRun() : error;
    }
  }
}

/** How often a reader looks for a newer checkpoint. Every look but the first follows a checkpoint written meanwhile. */
const MOST_LOOKS = 100;

/** The checkpoint that `path` means, and what tells its directory from a later one of the same name. */
async function locate(path: string): Promise<{ readonly directory: string; readonly inode: number }> {
  for (let tries = 0; ; tries++) {
    try {
      const directory = await findCheckpoint(path);
      return { directory, inode: (await stat(directory)).ino };
    } catch (error) {
      // Between the listing of checkpoints/ and now, all that it listed may have given way to a newer one.
      if (tries === 3 || !(await exists(join(path, 'checkpoints')))) throw error;
      await sleep(10);
    }
  }
}

/** A checkpoint that cannot be read, with an older one beside it that can. */
class DamagedCheckpoint extends DataError {
  /** @param directories that cannot be read, newest first */
  constructor(
    readonly reason: Error,
    readonly directories: readonly string[],
    readonly older: string,
  ) {
    super(`${intactBeside(reason, older)}: name that directory to use it.`, { cause: reason });
  }

  /** The same, for callers that named the run and not the checkpoint: advice that every command can follow. */
  inRun(): DataError {
    const { reason, directories, older } = this;
    const moves = directories.map((directory) => `mv ${quoted(directory)} ${quoted(`${directory}.damaged`)}`);
    return new DataError(
      `${intactBeside(reason, older)}: move what is damaged away (${moves.join(' && ')}) and repeat the command, which then uses it.`,
      { cause: reason },
    );
  }
}

const intactBeside = ({ message }: Error, older: string) =>
  `${message.replace(/\.$/, '')}; the older checkpoint ${older} is intact`;

/** As shells read it. */
const quoted = (path: string) => (/^[\w./:\\-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

/**
 * Reads weights, configuration and tokenizer of a model directory, for inference.
 * @throws FileError naming the file that is missing or damaged, and an intact older checkpoint if there is one.
 */
export async function loadModelFiles(directory: string, options: Stoppable = {}): Promise<ModelFiles> {
  checkArguments('loadModelFiles', { directory }, { directory: option.string });
  checkOptions<Stoppable>('loadModelFiles', options, { signal: option.signal });
  return withFallback(directory, readModelFiles, new Pauses(options.signal));
}

async function readModelFiles(directory: string, pauses: Pauses): Promise<ModelFiles> {
  return modelFilesOf(directory, await readFiles(directory, [fileNames.config, fileNames.weights], pauses));
}

/** A model directory's contents, parsed. */
export function modelFilesOf(directory: string, files: ReadonlyMap<string, Uint8Array>): ModelFiles {
  const [tokenizer, companions] = [files.get(fileNames.tokenizer), files.get(fileNames.companions)];
  const config = parseJson(textOf(files.get(fileNames.config)!), join(directory, fileNames.config));
  refuseForeign(config, directory);
  return {
    config,
    weights: decodeSafetensors(files.get(fileNames.weights)!, join(directory, fileNames.weights)).tensors,
    tokenizer: tokenizer && textOf(tokenizer),
    companions: companions && textOf(companions),
  };
}

/** @throws ConfigurationError when `config` is that of a model in the layout of Hugging Face, whose keys are others */
function refuseForeign(config: unknown, directory: string): void {
  if (typeof config !== 'object' || config === null || !('model_type' in config)) return;
  throw new ConfigurationError(
    `${directory} holds a model in the layout of Hugging Face (model_type ${JSON.stringify(config.model_type)}): convert it first with \`performers convert --from ${quoted(directory)} --out NEW\`, and name NEW.`,
  );
}

/** UTF-8. */
export const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/**
 * The bytes of the files `names`, and of those that a directory may have besides, as one state of the directory. All
 * are opened before any is read: an open file can be read even after the directory is removed.
 */
export async function readFiles(
  directory: string,
  names: readonly string[],
  pauses: Pauses,
): Promise<Map<string, Uint8Array>> {
  const handles = new Map<string, FileHandle>();
  try {
    const before = await stat(directory).catch(unreadable(directory));
    for (const name of names) handles.set(name, await open(join(directory, name)).catch(unreadable(directory, name)));
    for (const name of [fileNames.checksums, fileNames.tokenizer, fileNames.companions]) {
      const handle = await open(join(directory, name)).catch(ifMissing(directory, name));
      if (handle) handles.set(name, handle);
    }
    const after = await stat(directory).catch(unreadable(directory));
    if (after.ino !== before.ino) throw new FileError(`${directory} is being replaced: try again.`);
    const files = new Map<string, Uint8Array>();
    for (const [name, handle] of handles) {
      await pauses.next();
      files.set(name, await handle.readFile().catch(unreadable(directory, name)));
    }
    await pauses.next();
    const checksums = files.get(fileNames.checksums);
    if (checksums) {
      for (const [name, bytes] of files) verifyChecksum(join(directory, name), bytes, textOf(checksums));
    }
    return files;
  } finally {
    for (const handle of handles.values()) await handle.close();
  }
}

const ifMissing = (directory: string, name: string) => (error: NodeJS.ErrnoException) => {
  return error.code === 'ENOENT' ? undefined : unreadable(directory, name)(error);
};

const unreadable =
  (directory: string, name = '') =>
  (error: NodeJS.ErrnoException): never => {
    const why = error.code === 'ENOENT' ? 'is missing' : `cannot be read (${error.code})`;
    throw new FileError(`${join(directory, name)} ${why}: restore it from a copy or use another checkpoint.`, {
      cause: error,
    });
  };

/** Reads `directory`; if that fails, adds to the error which older checkpoint beside it can be read. */
export async function withFallback<T>(
  directory: string,
  readFiles: (directory: string, pauses: Pauses) => Promise<T>,
  pauses: Pauses,
): Promise<T> {
  try {
    return await readFiles(directory, pauses);
  } catch (error) {
    pauses.signal?.throwIfAborted();
    const parent = dirname(directory);
    const own = Number(NAME.exec(basename(directory))?.[1] ?? Number.NaN);
    const damaged = [directory];
    for (const step of await checkpointSteps(parent)) {
      if (!(step < own)) continue;
      const older = join(parent, checkpointName(step));
      if (await readFiles(older, pauses).catch(() => undefined))
        throw new DamagedCheckpoint(error as Error, damaged, older);
      damaged.push(older);
    }
    throw error;
  }
}

/** @throws DataError naming the file when `text` is not JSON, or nested deeper than any file of a model. */
export function parseJson(text: string, path: string): unknown {
  checkArguments('parseJson', { text, path }, { text: option.string, path: option.string });
  return parseJsonText(text, (why, cause) => {
    const fix = 'restore it from a copy or use another checkpoint';
    return new DataError(`${path} is damaged (it ${why}): ${fix}.`, { cause });
  });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
