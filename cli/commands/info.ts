import { Command } from 'commander';
import { crossoverLength } from '../../src/entries/inspect.ts';
import { commandLine, isCheckpoint, loadTransformer, readNewest } from '../../src/entries/internal.ts';
import { ConfigurationError, createBackend, type Transformer } from '../../src/entries/performers.ts';
import { loadCheckpoint, type TrainingState } from '../../src/entries/training.ts';
import { withModes } from '../command.ts';
import { interruptSignal } from '../interrupt.ts';
import { type BackendFlags, backendOptions, jsonOption } from '../options.ts';
import { formatCount, printJson } from '../output.ts';
import { readTokenizerFile } from '../training/tokenizer-file.ts';

interface InfoFlags extends BackendFlags {
  model?: string;
  json?: boolean;
}

export function infoCommand(): Command {
  const command = new Command('info')
    .description('Say what a model is: its configuration, size, tokenizer and training.')
    .argument('[dir]', 'a run (its newest checkpoint is taken) or one checkpoint')
    .option('--model <dir>', 'the same as an option')
    .addOption(jsonOption());
  for (const option of backendOptions()) command.addOption(option);
  return withModes<InfoFlags>(command, {}, info);
}

async function info(flags: InfoFlags, argument: string): Promise<void> {
  if (argument && flags.model)
    throw new ConfigurationError(`info takes ${argument} or --model ${flags.model}: give one.`);
  const given = argument || flags.model;
  if (!given) throw new ConfigurationError(`info needs the directory of a model: ${commandLine()} info runs/mine.`);
  const signal = interruptSignal();
  const backend = await createBackend({ backend: flags.backend, numThreads: flags.threads });
  try {
    const { model, directory, tokenizer, training } = await readNewest(given, async (newest) => {
      const training = await trainingOf(newest, signal);
      const tokenizer = (await readTokenizerFile(newest))?.tokenizer;
      return { ...(await loadTransformer(backend, newest, { signal })), tokenizer, training };
    });
    const facts = {
      checkpoint: directory,
      parameters: model.numParameters,
      ...(tokenizer && { tokenizer: { vocabSize: tokenizer.vocabSize } }),
      model: model.configuration,
      ...(training && { step: training.step, best: training.best, training: training.configuration }),
    };
    if (flags.json) {
      printJson(facts);
      return;
    }
    const { attention, ...architecture } = model.configuration;
    const lines: [string, string][] = [
      ['checkpoint', directory],
      ['parameters', formatCount(model.numParameters)],
      ...(tokenizer ? [['tokenizer', `${formatCount(tokenizer.vocabSize)} tokens`] as [string, string]] : []),
      ['attention', describe(attention.type === 'auto' ? { ...attention, crossover: crossoverOf(model) } : attention)],
      ['model', describe(architecture)],
      ...(training ? describeTraining(training) : []),
    ];
    for (const [name, value] of lines) process.stdout.write(`${name.padEnd(12)}${value}\n`);
  } finally {
    backend.close();
  }
}

/** How far a checkpoint's run is; undefined for a model that is no checkpoint of a run, such as a converted one. */
async function trainingOf(directory: string, signal: AbortSignal): Promise<TrainingState | undefined> {
  if (!(await isCheckpoint(directory))) return undefined;
  return (await loadCheckpoint(directory, { signal })).training;
}

function describeTraining({ step, configuration, best }: TrainingState): [string, string][] {
  return [
    ['trained', `${formatCount(step)} of ${formatCount(configuration.steps)} steps`],
    ['best', best ? `held-out loss ${best.loss.toFixed(4)} nats per token at step ${best.step}` : '–'],
    ['training', describe(configuration)],
  ];
}

/** First length that FAVOR+ takes on this backend. */
function crossoverOf({ backend, configuration: { attention, causal } }: Transformer): number {
  if (attention.type !== 'auto') return 0;
  return (
    attention.crossover ?? crossoverLength(backend.name, attention.numFeatures, causal, attention.nearField?.block)
  );
}

function describe(configuration: object): string {
  return Object.entries(configuration)
    .map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(', ');
}
