import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import {
  type DatasetFormat,
  type DatasetOptions,
  datasetFormats,
  isHubName,
  openDataset,
  tokenizeDataset,
} from '../../src/entries/data.ts';
import { checkObjective, parseConfiguration, parseJson, readNewest } from '../../src/entries/internal.ts';
import { createBackend, DataError, loadModel } from '../../src/entries/performers.ts';
import {
  evaluate,
  type Objective,
  parseTrainingConfiguration,
  type TrainingConfiguration,
} from '../../src/entries/training.ts';
import { type PlannedFlags, planned } from '../command.ts';
import { interruptSignal } from '../interrupt.ts';
import { positiveInteger } from '../options.ts';
import { formatCount, formatSeconds, printJson, say } from '../output.ts';
import { documentClasses } from '../training/classes.ts';
import { runSchema } from '../training/configuration.ts';
import { vocabularyOf } from '../training/corpus.ts';
import { checkFieldFlags } from '../training/field-flags.ts';
import { readInitialModel, usualObjective } from '../training/initial-model.ts';
import { describeEvaluation, heldOutData } from '../training/run.ts';

interface EvaluateFlags extends PlannedFlags {
  model: string;
  data: string[];
  format?: DatasetFormat;
  textField?: string;
  labelField?: string;
  length?: number;
}

export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description('Measure a model on text: bits per character, perplexity, accuracy of tokens or classes.')
    .requiredOption('--model <dir>', 'a run (its newest checkpoint is taken) or one checkpoint')
    .requiredOption('--data <names...>', 'files, globs, folders or hf:// names, all of it held out from training')
    .addOption(new Option('--format <name>', 'format of the data (default: that of the run)').choices(datasetFormats))
    .option('--text-field <name>', 'field or column that has the text (default: text)')
    .option('--label-field <name>', 'field or column that has the class, of format labelled (default: label)')
    .option(
      '--length <n>',
      "tokens that a prediction may look back on (default: the model's maxLength)",
      positiveInteger,
    );
  return planned<EvaluateFlags>(command, {}, async (flags) => {
    await checkFieldFlags(flags, await datasetConfiguration(flags));
    return { resolve: () => resolved(flags), perform: () => evaluateFiles(flags) };
  });
}

async function resolved(flags: EvaluateFlags): Promise<object> {
  const { trained, ...initial } = await readNewest(flags.model, async (newest) => {
    const trained = await trainedFor(newest);
    return { trained, ...(await readInitialModel(newest)) };
  });
  const { directory, configuration } = initial;
  const { objective, packing } = taskOf(trained, usualObjective(initial));
  const given = await datasetConfiguration(flags);
  const dataset = flags.data.some(isHubName) ? undefined : await openDataset(given);
  const { data, split: _, ...options } = dataset?.configuration ?? given;
  return {
    model: directory,
    objective,
    packing: packing ?? (objective.type === 'classification' ? 'pad' : 'windows'),
    length: flags.length ?? configuration.maxLength,
    data,
    files: dataset?.files ?? null,
    dataset: options,
  };
}

async function evaluateFiles(flags: EvaluateFlags): Promise<void> {
  const signal = interruptSignal('Stopping');
  const backend = await createBackend({ backend: flags.backend, numThreads: flags.threads });
  const temporary = await mkdtemp(join(tmpdir(), 'performers-'));
  try {
    const { model, tokenizer, directory, trained } = await readNewest(flags.model, async (newest) => {
      const trained = await trainedFor(newest);
      return { trained, ...(await loadModel(backend, newest, { signal })) };
    });
    const usual = usualObjective({ configuration: model.configuration, tokenizer });
    const { objective, packing } = taskOf(trained, usual);
    if (objective.type === 'distillation') {
      throw new DataError(
        'This model predicts no tokens, so that no text measures it: convert and finetune hold it against exact attention.',
      );
    }
    checkObjective(objective, model.configuration);
    const dataset = await openDataset(await datasetConfiguration(flags), { signal });
    const file = join(temporary, 'tokens.bin');
    const store = await tokenizeDataset(dataset, tokenizer, { file, signal });
    const { train: tokens, close } = store;
    if (objective.type === 'classification') documentClasses(dataset, store);
    const measured = { objective, packing, length: flags.length ?? model.configuration.maxLength };
    const { batches, characters } = heldOutData(tokens, measured, vocabularyOf(tokenizer, dataset));
    say(`measuring on ${backend.description}`);
    const start = performance.now();
    const evaluation = await evaluate(model, batches(), { characters, objective, signal }).finally(close);
    const seconds = (performance.now() - start) / 1000;
    if (flags.json) {
      printJson({
        model: directory,
        objective: objective.type,
        ...evaluation,
        characters,
        seconds,
        backend: backend.description,
      });
    } else {
      process.stdout.write(`${describeEvaluation(evaluation, objective, dataset.format === 'images')}\n`);
      const targets = objective.type === 'classification' ? 'sequences' : 'tokens';
      const text = characters === undefined ? '' : `${formatCount(characters)} characters, `;
      say(`${formatCount(evaluation.tokens)} ${targets}, ${text}${formatSeconds(seconds)}`);
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
    backend.close();
  }
}

/** The data that is named, read as the run's own was, unless flags say otherwise. */
async function datasetConfiguration({ model, data, format, textField, labelField }: EvaluateFlags) {
  const path = join(model, 'run.json');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  const run = text === undefined ? undefined : parseConfiguration(runSchema, parseJson(text, path), path);
  const own = format === undefined || format === run?.dataset.format ? run?.dataset : { format };
  const fields = { ...(textField && { text: textField }), ...(labelField && { label: labelField }) };
  // The format decides about the other options, which openDataset checks.
  return { ...own, ...fields, data, split: { by: 'none' } } as DatasetOptions;
}

type Task = Pick<TrainingConfiguration, 'objective' | 'packing'>;

/** What is measured: what the model was trained to predict, or else what it can. */
function taskOf(trained: Task | undefined, usual: Objective): Task {
  if (!trained) return { objective: usual };
  return trained.objective.type === 'distillation' ? { ...trained, objective: usual } : trained;
}

/** What the model of a checkpoint was trained to predict; undefined where the checkpoint does not say. */
async function trainedFor(directory: string): Promise<Task | undefined> {
  const path = join(directory, 'training.json');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const state = parseJson(text, path) as { configuration?: unknown };
  return parseTrainingConfiguration(state.configuration ?? {}, path);
}
