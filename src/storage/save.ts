import { readdir } from 'node:fs/promises';
import { FileError } from '../base/errors.ts';
import { Pauses, type Stoppable } from '../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../base/options.ts';
import type { Transformer } from '../model/transformer.ts';
import { transformerKind } from '../model/transformer.ts';
import { nodeFileSystem, writeDirectoryAtomically } from './atomic-directory.ts';
import { fileNames } from './model-directory.ts';
import { encodeSafetensors } from './safetensors.ts';
import { readWeights } from './weights.ts';

export interface SavedModelFiles extends Stoppable {
  /** Text of tokenizer.json. Default: none. */
  readonly tokenizer?: string | undefined;
  /** Files to be beside the model, by name. */
  readonly others?: ReadonlyMap<string, Uint8Array | string> | undefined;
}

/**
 * Writes a model as a directory that `loadModel` reads: config.json, model.safetensors with weights and projections,
 * and the files given. The directory appears whole or not at all.
 *
 * @throws FileError when `directory` holds files already, or cannot be written; nothing is left behind
 */
export async function saveModel(directory: string, model: Transformer, options: SavedModelFiles = {}): Promise<void> {
  checkArguments(
    'saveModel',
    { directory, model },
    {
      directory: option.string,
      model: transformerKind,
    },
  );
  checkOptions<SavedModelFiles>('saveModel', options, {
    tokenizer: option.string,
    others: filesKind,
    signal: option.signal,
  });
  const { tokenizer, others = new Map(), signal } = options;
  const weights = await readWeights(model, { signal });
  await new Pauses(signal).next();
  const files = new Map<string, Uint8Array | string>([
    [fileNames.config, `${JSON.stringify(model.configuration, null, 2)}\n`],
    [fileNames.weights, encodeSafetensors(weights)],
  ]);
  if (tokenizer !== undefined) files.set(fileNames.tokenizer, tokenizer);
  await saveFiles(directory, new Map([...files, ...others]), { signal });
}

/**
 * Writes files (name, also in a folder → contents) as a new directory, which appears whole or not at all.
 *
 * @throws as {@link saveModel} does
 */
export async function saveFiles(
  directory: string,
  files: ReadonlyMap<string, Uint8Array | string>,
  options: Stoppable = {},
): Promise<void> {
  checkArguments('saveFiles', { directory, files }, { directory: option.string, files: filesKind });
  checkOptions<Stoppable>('saveFiles', options, { signal: option.signal });
  const { signal } = options;
  signal?.throwIfAborted();
  await checkEmpty(directory);
  await writeDirectoryAtomically(directory, files, nodeFileSystem, { replaces: false, signal });
}

/** @throws FileError when a new model may not be written to `directory`, as it holds files or is one */
export async function checkEmpty(directory: string): Promise<void> {
  checkArguments('checkEmpty', { directory }, { directory: option.string });
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR') throw new FileError(`${directory} is a file: name a directory that is new or empty.`);
    throw error;
  });
  if (names.length > 0) throw new FileError(`${directory} holds files already: name a directory that is new or empty.`);
}

const filesKind = option.mapOf(option.either(option.bytes, option.string));
