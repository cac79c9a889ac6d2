import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { createBackend, evaluate, expandPaths, loadModel, tokenizeFiles } from '../../src/node.ts';
import { type BackendFlags, backendOptions, jsonOption, positiveInteger } from '../options.ts';
import { formatCount, formatSeconds, printJson, say } from '../output.ts';
import { describeEvaluation, heldOutData } from '../run.ts';

interface EvaluateFlags extends BackendFlags {
  model: string;
  data: string[];
  length?: number;
  json?: boolean;
}

export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description('Measure a model on text: bits per character, perplexity, next-token accuracy.')
    .requiredOption('--model <dir>', 'a run (its newest checkpoint is taken) or one checkpoint')
    .requiredOption('--data <files...>', 'files or globs (plain, .gz or .zst), all of it held out from training')
    .option(
      '--length <n>',
      "tokens that a prediction may look back on (default: the model's maxLength)",
      positiveInteger,
    )
    .action((flags: EvaluateFlags) => evaluateFiles(flags));
  for (const option of backendOptions()) command.addOption(option);
  return command.addOption(jsonOption());
}

async function evaluateFiles(flags: EvaluateFlags): Promise<void> {
  const backend = await createBackend({ backend: flags.backend, numThreads: flags.threads });
  const temporary = await mkdtemp(join(tmpdir(), 'performers-'));
  try {
    const { model, tokenizer, directory } = await loadModel(backend, flags.model);
    const files = await expandPaths(flags.data);
    const file = join(temporary, 'tokens.bin');
    const { train: tokens, close } = await tokenizeFiles(files, tokenizer, { file, split: { by: 'none' } });
    const { batches, characters } = heldOutData(tokens, flags.length ?? model.configuration.maxLength);
    const start = performance.now();
    const evaluation = await evaluate(model, batches(), { characters });
    const seconds = (performance.now() - start) / 1000;
    await close();
    if (flags.json) {
      printJson({ model: directory, ...evaluation, characters, seconds, backend: backend.description });
    } else {
      process.stdout.write(`${describeEvaluation(evaluation)}\n`);
      say(`${formatCount(evaluation.tokens)} tokens, ${formatCount(characters)} characters, ${formatSeconds(seconds)}`);
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
    backend.close();
  }
}
