import { resolve } from 'node:path';
import type { Dataset } from '../../src/entries/data.ts';
import {
  checkObjective,
  checkTokenizer,
  loadModelFiles,
  type ModelFiles,
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
  type TransformerConfiguration,
} from '../../src/entries/performers.ts';
import { loadAnyTokenizer, type Tokenizer } from '../../src/entries/tokenizers.ts';
import type { Objective, RunLock } from '../../src/entries/training.ts';
import type { RunConfiguration } from './configuration.ts';
import { tokenize } from './corpus.ts';
import { belowWindow, checkNoRun, type Run, storeConfiguration, withLock, withTeacher } from './run.ts';

/** A model's files, from which a run can start. */
export interface InitialModel {
  readonly directory: string;
  readonly files: ModelFiles;
  readonly configuration: TransformerConfiguration;
  readonly tokenizer: Tokenizer;
}

/**
 * Reads a model to start from: one that was converted or saved, a checkpoint, or a run's newest checkpoint.
 *
 * @throws ConfigurationError when there is no model, it is of images, or a file is missing or damaged
 */
export async function readInitialModel(path: string): Promise<InitialModel> {
  const { directory, files, configuration } = await readModelConfiguration(resolve(path));
  if (configuration.patches) {
    throw new ConfigurationError(
      `${directory} is a model of images, which cannot be finetuned on text: name a model of tokens.`,
    );
  }
  if (files.tokenizer === undefined) {
    throw new ConfigurationError(`${directory} has no tokenizer.json: put that of the model there.`);
  }
  const where = `${directory}/tokenizer.json`;
  const tokenizer = await loadAnyTokenizer(parseJson(files.tokenizer, where), where);
  checkTokenizer(tokenizer, configuration, where);
  return { directory, files, configuration, tokenizer };
}

/**
 * Reads what a path means as a model, without computing anything with it. @throws one sentence when there is no model
 */
export async function readModelConfiguration(path: string) {
  const { directory, files } = await readNewest(path, async (newest) => {
    return { directory: newest, files: await loadModelFiles(newest) };
  });
  const configuration = parseConfiguration(transformerSchema, files.config, `${directory}/config.json`);
  return { directory, files, configuration };
}

/** What a model can learn: its next or masked tokens or, without a language head, what a teacher gives. */
export function usualObjective({
  configuration,
  tokenizer,
}: Pick<InitialModel, 'configuration' | 'tokenizer'>): Objective {
  const { languageHead, causal } = configuration;
  if (languageHead && causal) return { type: 'nextToken' };
  const hasMask = tokenizer.specialTokens.mask !== undefined;
  return languageHead && hasMask ? { type: 'maskedToken', fraction: 0.15 } : { type: 'distillation' };
}

/**
 * Starts a run in `out` whose weights, configuration and tokenizer are those of a model.
 *
 * @throws one sentence when `out` already holds a run, or model, data and configuration do not fit together
 */
export function startFrom(
  backend: Backend,
  initial: InitialModel,
  configuration: RunConfiguration,
  out: string,
  options: Stoppable = {},
): Promise<Run> {
  return withLock(out, (lock) => startLocked(backend, initial, configuration, out, lock, options));
}

async function startLocked(
  backend: Backend,
  initial: InitialModel,
  configuration: RunConfiguration,
  out: string,
  lock: RunLock,
  options: Stoppable,
): Promise<Run> {
  await checkNoRun(out);
  const { directory, files, tokenizer } = initial;
  const config = changedConfiguration(initial, configuration);
  checkObjective(configuration.training.objective, config);
  // Checked before the text is read, so that a mistake is found sooner.
  const model = restoreModel(backend, { ...files, config }, directory);
  const { training, teacher } = await withTeacher(backend, configuration.training, options, {
    directory,
    configuration: config,
  });
  const corpus = await tokenize(configuration, tokenizer, out, options);
  const packing = training.packing ?? usualPacking(config, corpus.dataset);
  const stored = await storeConfiguration(out, {
    ...configuration,
    ...corpus.source,
    from: directory,
    training: { ...training, packing },
  });
  const { companions } = files;
  return {
    out,
    configuration: stored,
    corpus,
    model,
    classes: undefined,
    resume: undefined,
    teacher,
    lock,
    companions,
  };
}

/** Encoders were trained on whole texts, decoders on a stream of them. */
export function usualPacking(
  { causal }: TransformerConfiguration,
  { numDocuments }: Pick<Dataset, 'numDocuments'>,
): 'windows' | 'pack' {
  return causal || numDocuments === 1 ? 'windows' : 'pack';
}

/** The model's configuration with the keys that are to change. @throws ConfigurationError when its positions end before the rows do */
export function changedConfiguration(
  { configuration, directory }: InitialModel,
  { model, training: { length } }: RunConfiguration,
): TransformerConfiguration {
  const given = { ...configuration, ...model };
  if (given.positions === 'learned' && length > configuration.maxLength) {
    throw new ConfigurationError(
      `The positions of ${directory} end at ${configuration.maxLength}, before rows of ${length} tokens: choose a --length up to that.`,
    );
  }
  if (given.positions === 'learned' && given.maxLength !== configuration.maxLength) {
    throw new ConfigurationError(
      `Key "model.maxLength" is ${given.maxLength}, but the positions of ${directory} end at ${configuration.maxLength}: leave the key out.`,
    );
  }
  // The maxLength of a configuration is not raised silently; that of the initial model is raised.
  if (model.maxLength !== undefined && Number(model.maxLength) < length) throw belowWindow(model.maxLength, length);
  const maxLength = Math.max(length, Number(given.maxLength));
  return parseConfiguration(transformerSchema, { ...given, maxLength }, 'the model configuration');
}
