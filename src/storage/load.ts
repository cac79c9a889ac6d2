import { join } from 'node:path';
import type { Backend } from '../backend/types.ts';
import { ConfigurationError } from '../base/errors.ts';
import { Pauses, type Stoppable } from '../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../base/options.ts';
import { parseConfiguration } from '../base/parse-configuration.ts';
import { transformerSchema } from '../model/configuration.ts';
import { Transformer } from '../model/transformer.ts';
import { backendKind } from '../tensor/tensor.ts';
import { loadAnyTokenizer } from '../tokenizers/load-any-tokenizer.ts';
import type { Tokenizer } from '../tokenizers/tokenizer.ts';
import { checkTokenizer } from './check-tokenizer.ts';
import { COMPANIONS, classNames, parseCompanions, sentenceLength } from './companions.ts';
import { fileNames, loadModelFiles, type ModelFiles, parseJson, readNewest } from './model-directory.ts';
import { entriesKind } from './safetensors.ts';
import { checkModelSize, loadWeights } from './weights.ts';

/** A model with what is needed to use it on text. */
export interface LoadedModel {
  readonly model: Transformer;
  readonly tokenizer: Tokenizer;
  /** Names of the classes, where the pretrained model that this one comes from has named them. */
  readonly classNames?: readonly string[] | undefined;
  /** Tokens, special ones included, at which the model's own library cuts a text that becomes a vector. */
  readonly sentenceLength?: number | undefined;
  /** The checkpoint it came from. */
  readonly directory: string;
}

/**
 * Loads a trained model without a tokenizer, such as one of image patches.
 *
 * @param path a run's directory (its newest checkpoint is taken) or one checkpoint
 * @param options.signal stops the loading: its reason is thrown
 * @throws FileError when there is no model or a file of it is missing, DataError when a file is damaged.
 */
export async function loadTransformer(
  backend: Backend,
  path: string,
  options: Stoppable = {},
): Promise<Pick<LoadedModel, 'model' | 'directory'>> {
  const { files, directory } = await openModelFiles('loadTransformer', backend, path, options);
  return { model: restoreModel(backend, files, directory), directory };
}

/**
 * Loads a trained model for generation or evaluation.
 *
 * @param path a run's directory (its newest checkpoint is taken) or one checkpoint
 * @param options.signal stops the loading: its reason is thrown
 * @throws ConfigurationError when there is no model, or a file of it is missing or damaged.
 */
export async function loadModel(backend: Backend, path: string, options: Stoppable = {}): Promise<LoadedModel> {
  const { files, directory } = await openModelFiles('loadModel', backend, path, options);
  const where = join(directory, fileNames.tokenizer);
  if (files.tokenizer === undefined) {
    const isOfImages = (files.config as { patches?: unknown } | null)?.patches !== undefined;
    throw new ConfigurationError(
      isOfImages
        ? `${directory} holds a model of images, which takes no text: name a model of tokens.`
        : `${where} is missing: restore it from a copy or use another checkpoint.`,
    );
  }
  const tokenizer = await loadAnyTokenizer(parseJson(files.tokenizer, where), where);
  await new Pauses(options.signal).next();
  const model = restoreModel(backend, files, directory);
  checkTokenizer(tokenizer, model.configuration, where);
  const companionsPath = join(directory, COMPANIONS);
  const companions = parseCompanions(parseJson(files.companions ?? '{}', companionsPath), companionsPath);
  const { configuration } = model;
  return {
    ...{ model, tokenizer, directory },
    classNames: classNames(companions, configuration),
    sentenceLength: sentenceLength(companions, configuration),
  };
}

/** The files of the model that `path` means, and their directory. */
async function openModelFiles(
  caller: string,
  backend: Backend,
  path: string,
  options: Stoppable,
): Promise<{ readonly files: ModelFiles; readonly directory: string }> {
  checkArguments(caller, { backend, path }, { backend: backendKind, path: option.string });
  checkOptions<Stoppable>(caller, options, { signal: option.signal });
  const found = await readNewest(path, async (directory) => {
    return { files: await loadModelFiles(directory, options), directory };
  });
  await new Pauses(options.signal).next();
  return found;
}

/**
 * Builds the model that `files` describe, with their weights.
 * @param directory names the files in errors
 * @throws ConfigurationError when config.json is not valid, DataError or ShapeError when the weights do not fit.
 */
export function restoreModel(backend: Backend, files: ModelFiles, directory: string): Transformer {
  checkArguments(
    'restoreModel',
    { backend, files, directory },
    {
      backend: backendKind,
      files: modelFilesKind,
      directory: option.string,
    },
  );
  const options = parseConfiguration(transformerSchema, files.config, join(directory, fileNames.config));
  const shapes = [...files.weights.values()].map(({ shape }) => shape);
  checkModelSize(options, shapes, join(directory, fileNames.weights));
  const model = new Transformer(backend, options);
  try {
    loadWeights(model, files.weights, join(directory, fileNames.weights));
  } catch (error) {
    model.dispose();
    throw error;
  }
  return model;
}

const modelFilesKind = option.having('files of a model, such as loadModelFiles() gives', {
  config: option.plain,
  weights: entriesKind,
});
