import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import {
  checkObjective,
  createBackend,
  evaluate,
  expandPaths,
  loadModel,
  parseJson,
  parseTrainingConfiguration,
  type TrainingConfiguration,
  tokenizeFiles,
} from '../../src/node.ts';
import { folderClasses } from '../classes.ts';
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
    .description('Measure a model on text: bits per character, perplexity, accuracy of tokens or classes.')
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
    const { objective, packing } = await trainedFor(directory);
    checkObjective(objective, model.configuration);
    const classes = objective.type === 'classification' ? await folderClasses(files, { by: 'none' }) : undefined;
    const measured = { objective, packing, length: flags.length ?? model.configuration.maxLength };
    const { batches, characters } = heldOutData(tokens, measured, tokenizer, classes?.train);
    const start = performance.now();
    const evaluation = await evaluate(model, batches(), { characters, objective });
    const seconds = (performance.now() - start) / 1000;
    await close();
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
      process.stdout.write(`${describeEvaluation(evaluation, objective)}\n`);
      const targets = objective.type === 'classification' ? 'sequences' : 'tokens';
      const text = characters === undefined ? '' : `${formatCount(characters)} characters, `;
      say(`${formatCount(evaluation.tokens)} ${targets}, ${text}${formatSeconds(seconds)}`);
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
    backend.close();
  }
}

/** What the model of a checkpoint was trained for; the next token where it does not say. */
async function trainedFor(directory: string): Promise<Pick<TrainingConfiguration, 'objective' | 'packing'>> {
  const path = join(directory, 'training.json');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  const state = text === undefined ? {} : (parseJson(text, path) as { configuration?: unknown });
  return parseTrainingConfiguration(state.configuration ?? {}, path);
}
