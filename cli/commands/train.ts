import { Command, Option } from 'commander';
import {
  activations,
  createBackend,
  type DatasetFormat,
  datasetFormats,
  type Objective,
  parseConfiguration,
  projectionKinds,
} from '../../src/node.ts';
import {
  type RunConfiguration,
  type RunConfigurationInput,
  readRunConfiguration,
  runSchema,
} from '../configuration.ts';
import {
  type BackendFlags,
  backendOptions,
  jsonOption,
  positiveInteger,
  positiveNumber,
  wholeNumber,
} from '../options.ts';
import { formatBytes, formatCount, printJson, say } from '../output.ts';
import { describePresets, type PresetName, presetNames, presetOf } from '../presets.ts';
import { describeSpeed, finishRun, interruptSignal, resumeRun, startRun } from '../run.ts';

const objectives = {
  'next-token': 'nextToken',
  'masked-token': 'maskedToken',
  classification: 'classification',
} as const;
/** Attentions without random features, as sentences name them. */
const featureless = { exact: 'Exact attention', lsh: 'LSH attention', linformer: 'Linformer' } as const;
const packings = ['windows', 'pack', 'pad'] as const;
const tokenizerTypes = ['bytes', 'characters', 'bpe', 'unigram', 'protein', 'pixels'] as const;

interface TrainFlags extends BackendFlags {
  data?: string[];
  format?: DatasetFormat;
  textField?: string;
  labelField?: string;
  out: string;
  config?: string;
  resume?: boolean;
  preset?: PresetName;
  objective?: keyof typeof objectives;
  packing?: (typeof packings)[number];
  attention?: 'favor' | 'auto' | keyof typeof featureless;
  features?: number;
  featureMap?: string;
  projection?: (typeof projectionKinds)[number];
  reversible?: boolean;
  feedForwardChunks?: number;
  tokenizer?: (typeof tokenizerTypes)[number];
  vocabSize?: number;
  split?: NonNullable<RunConfigurationInput['split']>['by'];
  heldOut?: number;
  steps?: number;
  batchSize?: number;
  length?: number;
  accumulate?: number;
  learningRate?: number;
  warmupSteps?: number;
  evaluateEvery?: number;
  evaluationBatches?: number;
  checkpointEvery?: number;
  keepCheckpoints?: number;
  seed?: number;
  json?: boolean;
}

export function trainCommand(): Command {
  const command = new Command('train')
    .description(
      'Train a language model or a classifier on text files (plain, .gz or .zst). Ctrl-C saves; --resume continues.',
    )
    .option('--data <names...>', 'files, globs, folders, or hf://datasets/ORG/NAME')
    .addOption(new Option('--format <name>', 'format of the data (default: as the names say)').choices(datasetFormats))
    .option('--text-field <name>', 'field of JSONL or column of Parquet that has the text (default: text)')
    .option('--label-field <name>', 'field or column that has the class, of format labelled (default: label)')
    .requiredOption('--out <dir>', 'directory of the run: checkpoints, metrics.jsonl, tokens.bin')
    .option(
      '--config <file.json>',
      'configuration {data, dataset, split, tokenizer, model, training}; flags override it',
    )
    .option('--resume', 'continue the run in --out from its newest checkpoint')
    .addOption(new Option('--preset <name>', 'what is trained, see below (default: compact)').choices(presetNames))
    .addOption(
      new Option(
        '--objective <type>',
        "what is predicted; a file's class is the name of its folder (default: next-token)",
      ).choices(Object.keys(objectives)),
    )
    .addOption(
      new Option(
        '--packing <how>',
        'rows: windows of one stream, whole documents packed, or one padded (default: windows; classification: pad)',
      ).choices(packings),
    )
    .addOption(
      new Option(
        '--attention <type>',
        'favor (linear time), exact, auto: exact where that is faster, or the rivals lsh (Reformer) and linformer (default: favor)',
      ).choices(['favor', 'auto', ...Object.keys(featureless)]),
    )
    .option('--features <m>', 'random features of favor and auto (default: 256)', positiveInteger)
    .addOption(
      new Option(
        '--feature-map <name>',
        'estimate of softmax, or a kernel of its own from relu on; more by --config (default: positive)',
      ).choices(['positive', 'hyperbolic', 'smreg', 'trigonometric', ...activations]),
    )
    .addOption(
      new Option(
        '--projection <kind>',
        'how directions are drawn together (default: orthogonal; from relu on: none)',
      ).choices(projectionKinds),
    )
    .option('--reversible', 'reversible layers: memory of activations does not grow with the depth, steps take longer')
    .option(
      '--feed-forward-chunks <n>',
      'pieces in which a feed-forward layer is computed, to save memory (default: 1)',
      positiveInteger,
    )
    .addOption(
      new Option(
        '--tokenizer <type>',
        'bytes, characters of the text, BPE or unigram trained here, protein, or pixels (default: bpe)',
      ).choices(tokenizerTypes),
    )
    .option(
      '--vocab-size <n>',
      'tokens of BPE and unigram (default: 1024), at most of characters (default: all)',
      positiveInteger,
    )
    .addOption(
      new Option(
        '--split <rule>',
        'what is held out (default: tail of text files, as named or by document of others)',
      ).choices(['tail', 'document', 'none', 'given', 'group']),
    )
    .option('--held-out <fraction>', 'share of the text that is held out (default: 0.1)', positiveNumber)
    .option('--steps <n>', 'updates (default: 1000)', positiveInteger)
    .option('--batch-size <n>', 'sequences in a batch (default: 8)', positiveInteger)
    .option('--length <n>', 'tokens in a sequence (default: 512)', positiveInteger)
    .option('--accumulate <n>', 'batches whose gradients make one update (default: 1)', positiveInteger)
    .option('--learning-rate <x>', 'peak learning rate (default: 0.001)', positiveNumber)
    .option('--warmup-steps <n>', 'updates of linear warm-up (default: 0)', wholeNumber)
    .option('--evaluate-every <n>', 'updates between evaluations; 0 = only at the end (default: 200)', wholeNumber)
    .option('--evaluation-batches <n>', 'most batches that an evaluation measures (default: all)', positiveInteger)
    .option('--checkpoint-every <n>', 'updates between checkpoints; 0 = only at the end (default: 200)', wholeNumber)
    .option('--keep-checkpoints <k>', 'newest checkpoints kept (default: 3)', positiveInteger)
    .option('--seed <n>', 'seed of weights, features, data order and dropout (default: 0)', wholeNumber)
    .addHelpText('after', describePresets())
    .action((flags: TrainFlags) => trainFromFlags(flags));
  for (const option of backendOptions()) command.addOption(option);
  return command.addOption(jsonOption());
}

async function trainFromFlags(flags: TrainFlags): Promise<void> {
  const { out } = flags;
  const configuration = flags.resume ? undefined : await configurationOf(flags);
  const backend = await createBackend({ backend: flags.backend, numThreads: flags.threads });
  try {
    const run = configuration
      ? await startRun(backend, configuration, out)
      : await resumeRun(backend, out, flags.steps);
    const { store } = run.corpus;
    const signal = interruptSignal();
    say(
      `${formatCount(run.model.numParameters)} parameters, ${formatCount(store.train.length)} training tokens, ` +
        `${formatCount(store.heldOut.length)} held out, on ${backend.description}`,
    );
    const result = await finishRun(run, run.model.configuration.attention.type, signal);
    await store.close();
    if (result.interrupted) {
      process.exitCode = 130;
      say(`Stopped at step ${result.step}. Continue with:\n  npm run -s performers -- train --resume --out ${out}`);
    } else {
      say(`${describeSpeed(result)}; ${result.checkpoint}`);
    }
    // KiB, on all systems.
    const peakMemory = 1024 * process.resourceUsage().maxRSS;
    say(`peak memory ${formatBytes(peakMemory)}`);
    if (flags.json) printJson({ out, ...result, peakMemory });
  } finally {
    backend.close();
  }
}

/** The preset's configuration, overridden by that of the file, and both by the flags. */
async function configurationOf(flags: TrainFlags): Promise<RunConfiguration> {
  const preset = presetOf(flags.preset ?? 'compact').configuration;
  const file: RunConfigurationInput = flags.config ? await readRunConfiguration(flags.config) : {};
  const given = { ...preset.training, ...file.training };
  const training = { ...given, ...trainingOf(flags, given) };
  const type = training.objective?.type ?? 'nextToken';
  const { reversible, feedForwardChunks } = flags;
  const depth = defined({ reversible, feedForwardChunks });
  const model = { ...preset.model, ...file.model };
  const dataset = datasetOf(flags, preset.dataset, file.dataset);
  const configuration = {
    data: flags.data ?? file.data ?? [],
    dataset,
    split: splitOf(flags, type) ?? file.split ?? preset.split ?? defaultSplit(type, dataset),
    tokenizer: withMask(tokenizerOf(flags, file.tokenizer ?? preset.tokenizer), type),
    model: { ...model, ...attentionOf(flags, model), ...depth },
    training,
    evaluationBatches: flags.evaluationBatches ?? file.evaluationBatches ?? preset.evaluationBatches,
  };
  if (configuration.data.length === 0 && dataset.format !== 'listops') {
    throw new Error('There is nothing to train on: name files with --data.');
  }
  return parseConfiguration(runSchema, defined(configuration), 'the options');
}

/** Options of the data; those of the preset belong to its format and go with it. */
function datasetOf(
  { format, textField, labelField }: TrainFlags,
  preset: RunConfigurationInput['dataset'] = {},
  file: RunConfigurationInput['dataset'] = {},
): Record<string, unknown> {
  const given = { ...file, ...defined({ format, text: textField, label: labelField }) };
  const isOther = given.format !== undefined && given.format !== preset.format;
  return { ...(isOther ? {} : preset), ...given };
}

/** Text files of one class follow each other, so that a tail would hold out a single class. */
function defaultSplit(objective: Objective['type'], { format = 'text' }: { format?: unknown }) {
  if (objective !== 'classification' || format !== 'text') return undefined;
  return { by: 'document', fraction: 0.1, seed: 0 } as const;
}

function splitOf({ split, heldOut }: TrainFlags, objective: Objective['type']): RunConfigurationInput['split'] {
  if (split === 'none' || split === 'given') return { by: split };
  if (split === undefined && heldOut === undefined) return undefined;
  return { by: split ?? (objective === 'classification' ? 'document' : 'tail'), fraction: heldOut ?? 0.1 };
}

function tokenizerOf(
  { tokenizer, vocabSize }: TrainFlags,
  given: RunConfigurationInput['tokenizer'],
): RunConfigurationInput['tokenizer'] {
  if (tokenizer === undefined && vocabSize === undefined) return given;
  const type = tokenizer ?? given?.type ?? 'bpe';
  if (type === 'characters') return { type, ...defined({ vocabSize }) };
  if (type === 'bpe' || type === 'unigram') return { type, vocabSize: vocabSize ?? 1024 };
  if (vocabSize !== undefined) throw new Error(`The vocabulary of ${type} has a fixed size: leave --vocab-size out.`);
  return { type };
}

/** The tokenizer, with a mask token where tokens are masked. */
function withMask(tokenizer: RunConfigurationInput['tokenizer'], objective: Objective['type']): typeof tokenizer {
  if (objective !== 'maskedToken' || tokenizer?.type === 'protein') return tokenizer;
  if (tokenizer?.type === 'pixels') throw new Error('Values of images have no mask token: leave --objective out.');
  return { ...(tokenizer ?? { type: 'bpe', vocabSize: 1024 }), mask: true };
}

function attentionOf(flags: TrainFlags, model: Record<string, unknown> = {}) {
  const features = defined({
    numFeatures: flags.features,
    featureMap: flags.featureMap,
    projection: flags.projection,
  });
  const isGiven = Object.keys(features).length > 0;
  const given = typeof model.attention === 'string' ? { type: model.attention } : model.attention;
  const { type: earlier, crossover, ...kept } = { ...(given as Record<string, unknown> | undefined) };
  if (flags.attention && flags.attention in featureless) {
    const type = flags.attention as keyof typeof featureless;
    if (isGiven)
      throw new Error(`${featureless[type]} has no features: leave the flags for them out, or --attention ${type}.`);
    return { attention: { type, ...(earlier === type ? kept : {}) } };
  }
  if (!flags.attention && !isGiven) return {};
  const type = flags.attention ?? (earlier === 'auto' ? 'auto' : 'favor');
  return { attention: { ...kept, type, ...features, ...(type === 'auto' ? defined({ crossover }) : {}) } };
}

function trainingOf(
  flags: TrainFlags,
  file: RunConfigurationInput['training'],
): NonNullable<RunConfigurationInput['training']> {
  const { packing, steps, batchSize, length, accumulate, learningRate, warmupSteps, seed } = flags;
  const { evaluateEvery, checkpointEvery, keepCheckpoints } = flags;
  const type = flags.objective && objectives[flags.objective];
  const objective = type === undefined || type === file?.objective?.type ? undefined : { type };
  const given = { objective, packing, steps, batchSize, length, accumulate, learningRate, warmupSteps, seed };
  return defined({ ...given, evaluateEvery, checkpointEvery, keepCheckpoints });
}

/** The entries of `object` that have a value. */
function defined<T extends object>(object: T): Partial<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<T>;
}
