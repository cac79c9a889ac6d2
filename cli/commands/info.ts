import { Command } from 'commander';
import {
  createBackend,
  crossoverLength,
  findCheckpoint,
  loadCheckpoint,
  loadModel,
  type Transformer,
} from '../../src/node.ts';
import { type BackendFlags, backendOptions, jsonOption } from '../options.ts';
import { formatCount, printJson } from '../output.ts';

export function infoCommand(): Command {
  const command = new Command('info')
    .description('Say what a model is: its configuration, size, tokenizer and training.')
    .requiredOption('--model <dir>', 'a run (its newest checkpoint is taken) or one checkpoint')
    .action((flags: BackendFlags & { model: string; json?: boolean }) => info(flags));
  for (const option of backendOptions()) command.addOption(option);
  return command.addOption(jsonOption());
}

async function info(flags: BackendFlags & { model: string; json?: boolean }): Promise<void> {
  const backend = await createBackend({ backend: flags.backend, numThreads: flags.threads });
  try {
    const { model, tokenizer, directory } = await loadModel(backend, flags.model);
    const { training } = await loadCheckpoint(await findCheckpoint(flags.model));
    const facts = {
      checkpoint: directory,
      parameters: model.numParameters,
      tokenizer: { vocabSize: tokenizer.vocabSize },
      model: model.configuration,
      step: training.step,
      best: training.best,
      training: training.configuration,
    };
    if (flags.json) {
      printJson(facts);
      return;
    }
    const { attention, ...architecture } = model.configuration;
    const lines: [string, string][] = [
      ['checkpoint', directory],
      ['parameters', formatCount(model.numParameters)],
      ['tokenizer', `${formatCount(tokenizer.vocabSize)} tokens`],
      ['attention', describe(attention.type === 'auto' ? { ...attention, crossover: crossoverOf(model) } : attention)],
      ['model', describe(architecture)],
      ['trained', `${formatCount(training.step)} of ${formatCount(training.configuration.steps)} steps`],
      [
        'best',
        training.best
          ? `held-out loss ${training.best.loss.toFixed(4)} nats per token at step ${training.best.step}`
          : '–',
      ],
      ['training', describe(training.configuration)],
    ];
    for (const [name, value] of lines) process.stdout.write(`${name.padEnd(12)}${value}\n`);
  } finally {
    backend.close();
  }
}

/** First length that FAVOR+ takes on this backend. */
function crossoverOf({ backend, configuration: { attention, causal } }: Transformer): number {
  if (attention.type !== 'auto') return 0;
  return attention.crossover ?? crossoverLength(backend.name, attention.numFeatures, causal);
}

function describe(configuration: object): string {
  return Object.entries(configuration)
    .map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(', ');
}
