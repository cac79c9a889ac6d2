import { Command, Option } from 'commander';
import { parseConfiguration } from '../../src/entries/internal.ts';
import { type Backend, ConfigurationError, DataError } from '../../src/entries/performers.ts';
import { type Plan, planned } from '../command.ts';
import { Recovery } from '../conversion/recovery.ts';
import { rate, wholeNumber } from '../options.ts';
import { type RunConfiguration, type RunOptions, readRunOptions, runSchema } from '../training/configuration.ts';
import { checkFieldFlags } from '../training/field-flags.ts';
import { type InitialModel, readInitialModel, startFrom, usualObjective } from '../training/initial-model.ts';
import { resolvedFinetuning, resolvedResume } from '../training/resolved-run.ts';
import { type Run, resumeRun } from '../training/run.ts';
import {
  carryOut,
  dataOptions,
  datasetOf,
  defined,
  objectives,
  packingOption,
  splitOf,
  type TrainingFlags,
  trainingModes,
  trainingOf,
  updateOptions,
} from '../training/training-options.ts';

/** Less than training from nothing takes, as the weights are near good ones; a teacher's errors point the way more surely. */
const learningRates = { task: 1e-4, teacher: 3e-4 };
/** Longest rows unless told otherwise. */
const usualLength = 512;

interface FinetuneFlags extends TrainingFlags {
  from?: string;
  config?: string;
  /** True = the model that training starts from, with exact attention. */
  distill?: string | true;
  dropout?: number;
}

export function finetuneCommand(): Command {
  const command = new Command('finetune')
    .description(
      'Train a converted or saved model on: weights, configuration and tokenizer are its own. Ctrl-C saves; --resume continues.',
    )
    .option('--from <dir>', 'directory of a converted model, a run (its newest checkpoint is taken) or one checkpoint');
  for (const option of dataOptions()) command.addOption(option);
  command
    .requiredOption('--out <dir>', 'directory of the run: checkpoints, metrics.jsonl, tokens.bin')
    .option('--config <file.json>', 'configuration {data, dataset, split, model, training}; flags override it')
    .option('--resume', 'continue the run in --out from its newest checkpoint')
    .option(
      '--distill [teacher]',
      'learn what a teacher gives as well, which recovers faster (default teacher: --from with exact attention)',
    )
    .addOption(
      new Option(
        '--objective <type>',
        'what is predicted (default: what the model can: next or masked tokens, or distillation alone)',
      ).choices(Object.keys(objectives).filter((name) => name !== 'classification')),
    )
    .option('--dropout <rate>', "(default: the model's; 0 with --distill)", rate)
    .addOption(packingOption('pack for encoders on several documents, else windows'));
  const { task, teacher } = learningRates;
  const updates = updateOptions({
    length: `what the model takes, at most ${usualLength}`,
    learningRate: `${task}; ${teacher} with --distill`,
  });
  for (const option of updates) command.addOption(option);
  command.option('--seed <n>', 'seed of data order, masks and dropout (default: 0)', wholeNumber);
  return planned<FinetuneFlags>(command, { modes: trainingModes('finetune') }, plan);
}

async function plan(flags: FinetuneFlags): Promise<Plan> {
  const { out } = flags;
  if (flags.resume) {
    return {
      resolve: () => resolvedResume(flags),
      perform: () => finetune(flags, (backend, signal) => resumeRun(backend, out, flags, { signal })),
    };
  }
  const file = flags.config ? await readRunOptions(flags.config) : {};
  if (file.tokenizer !== undefined) {
    throw new ConfigurationError(
      `"tokenizer" in ${flags.config} cannot be honoured, as finetuning keeps that of the model: leave it out.`,
    );
  }
  const from = flags.from ?? file.from;
  if (from === undefined) throw new ConfigurationError('There is nothing to start from: name a model with --from.');
  const initial = await readInitialModel(from);
  const configuration = configurationOf(flags, file, initial);
  await checkFieldFlags(flags, { ...configuration.dataset, data: configuration.data });
  return {
    resolve: () => resolvedFinetuning(flags, configuration, initial),
    perform: () => finetune(flags, (backend, signal) => startFrom(backend, initial, configuration, out, { signal })),
  };
}

/** Trains the run that is opened, and measures it before and after. */
async function finetune(
  flags: FinetuneFlags,
  open: (backend: Backend, signal: AbortSignal) => Promise<Run>,
): Promise<void> {
  let recovery: Recovery | undefined;
  const measured = async (backend: Backend, signal: AbortSignal) => {
    const run = await open(backend, signal);
    recovery = await Recovery.open(run, { signal }).catch((error) => {
      run.lock.release();
      throw error;
    });
    return run;
  };
  await carryOut(flags, 'finetune', measured, async () => recovery?.finish());
}

/** What the model suggests, overridden by the file, and both by the flags. */
function configurationOf(flags: FinetuneFlags, file: RunOptions, initial: InitialModel): RunConfiguration {
  const length = Math.min(usualLength, initial.configuration.maxLength);
  const objective = usualObjective(initial);
  const distillation = distillationOf(flags, file.training ?? {});
  const learningRate = distillation ? learningRates.teacher : learningRates.task;
  // Decay would shrink the weights of tokens that the text does not have.
  const given = { learningRate, weightDecay: 0, length, objective, ...file.training };
  const training = { ...given, ...trainingOf(flags, given), ...(distillation && { distillation }) };
  if (training.objective.type === 'distillation' && !distillation) {
    throw new DataError('This model predicts no tokens, so that it can only learn from a teacher: add --distill.');
  }
  const dropout = flags.dropout ?? file.model?.dropout ?? (distillation ? 0 : undefined);
  const configuration = {
    data: flags.data ?? file.data ?? [],
    dataset: datasetOf(flags, {}, file.dataset),
    split: splitOf(flags, training.objective.type, file.split),
    model: { ...file.model, ...defined({ dropout }) },
    training,
    evaluationBatches: flags.evaluationBatches ?? file.evaluationBatches,
  };
  if (configuration.data.length === 0)
    throw new ConfigurationError('There is nothing to train on: name files with --data.');
  return parseConfiguration(runSchema, defined(configuration), 'the options');
}

function distillationOf(
  { distill }: FinetuneFlags,
  { distillation }: NonNullable<RunOptions['training']>,
): NonNullable<RunOptions['training']>['distillation'] {
  if (distill === undefined) return distillation;
  return { ...distillation, ...(distill === true ? {} : { teacher: distill }) };
}
