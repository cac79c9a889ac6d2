import { Command, Option } from 'commander';
import { activations, attentionSchema, parseConfiguration, projectionKinds } from '../../src/entries/internal.ts';
import { ConfigurationError } from '../../src/entries/performers.ts';
import type { Objective } from '../../src/entries/training.ts';
import { type Plan, planned } from '../command.ts';
import { nearFieldOf, nearFieldOptions } from '../near-field-options.ts';
import { positiveInteger, wholeNumber } from '../options.ts';
import { type RunConfiguration, type RunOptions, readRunOptions, runSchema } from '../training/configuration.ts';
import { checkFieldFlags } from '../training/field-flags.ts';
import { describePresets, type PresetName, presetNames, presetOf } from '../training/presets.ts';
import { resolvedResume, resolvedRun } from '../training/resolved-run.ts';
import { resumeRun, startRun } from '../training/run.ts';
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

/** Attentions without random features, as sentences name them. */
const featureless = { exact: 'Exact attention', lsh: 'LSH attention', linformer: 'Linformer' } as const;
const tokenizerTypes = ['bytes', 'characters', 'bpe', 'unigram', 'protein', 'pixels'] as const;

interface TrainFlags extends TrainingFlags {
  config?: string;
  preset?: PresetName;
  attention?: 'favor' | 'auto' | keyof typeof featureless;
  features?: number;
  featureMap?: string;
  projection?: (typeof projectionKinds)[number];
  nearField?: number;
  sinks?: number;
  reversible?: boolean;
  feedForwardChunks?: number;
  tokenizer?: (typeof tokenizerTypes)[number];
  vocabSize?: number;
}

export function trainCommand(): Command {
  const command = new Command('train').description(
    'Train a language model or a classifier on text files (plain, .gz or .zst). Ctrl-C saves; --resume continues.',
  );
  for (const option of dataOptions()) command.addOption(option);
  command
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
    .addOption(packingOption('windows; classification: pad'))
    .addOption(
      new Option(
        '--attention <type>',
        'favor (linear time), exact, auto: exact where that is faster, or lsh (Reformer), linformer (default: favor)',
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
    );
  for (const option of nearFieldOptions()) command.addOption(option);
  command
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
    );
  for (const option of updateOptions({ length: '512', learningRate: '0.001' })) command.addOption(option);
  command
    .option('--seed <n>', 'seed of weights, features, data order and dropout (default: 0)', wholeNumber)
    .addHelpText('after', describePresets());
  return planned<TrainFlags>(command, { modes: trainingModes('train') }, plan);
}

async function plan(flags: TrainFlags): Promise<Plan> {
  const { out } = flags;
  if (flags.resume) {
    return {
      resolve: () => resolvedResume(flags),
      perform: () => carryOut(flags, 'train', (backend, signal) => resumeRun(backend, out, flags, { signal })),
    };
  }
  const configuration = await configurationOf(flags);
  await checkFieldFlags(flags, { ...configuration.dataset, data: configuration.data });
  return {
    resolve: () => resolvedRun(flags, configuration),
    perform: () => carryOut(flags, 'train', (backend, signal) => startRun(backend, configuration, out, { signal })),
  };
}

/** The preset's configuration, overridden by that of the file, and both by the flags. */
async function configurationOf(flags: TrainFlags): Promise<RunConfiguration> {
  const preset = presetOf(flags.preset ?? 'compact').configuration;
  const file: RunOptions = flags.config ? await readRunOptions(flags.config) : {};
  if (file.from !== undefined) {
    throw new ConfigurationError(`"from" in ${flags.config} is what performers finetune starts from: leave it out.`);
  }
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
    split: splitOf(flags, type, file.split ?? preset.split) ?? defaultSplit(type, dataset),
    tokenizer: withMask(tokenizerOf(flags, file.tokenizer ?? preset.tokenizer), type),
    model: { ...model, ...attentionOf(flags, model), ...depth },
    training,
    evaluationBatches: flags.evaluationBatches ?? file.evaluationBatches ?? preset.evaluationBatches,
  };
  if (configuration.data.length === 0 && dataset.format !== 'listops') {
    throw new ConfigurationError('There is nothing to train on: name files with --data.');
  }
  return parseConfiguration(runSchema, defined(configuration), 'the options');
}

/** Text files of one class come one after another, so a tail would hold out a single class. */
function defaultSplit(objective: Objective['type'], { format = 'text' }: { format?: unknown }) {
  if (objective !== 'classification' || format !== 'text') return undefined;
  return { by: 'document' } as const;
}

function tokenizerOf({ tokenizer, vocabSize }: TrainFlags, given: RunOptions['tokenizer']): RunOptions['tokenizer'] {
  if (tokenizer === undefined && vocabSize === undefined) return given;
  const type = tokenizer ?? given?.type ?? 'bpe';
  // Nothing is kept of a tokenizer of another type.
  const kept = given?.type === type ? given : undefined;
  if (type === 'characters') return { ...kept, type, ...defined({ vocabSize }) };
  if (type === 'bpe' || type === 'unigram') return { vocabSize: 1024, ...kept, type, ...defined({ vocabSize }) };
  if (vocabSize !== undefined)
    throw new ConfigurationError(`The vocabulary of ${type} has a fixed size: leave --vocab-size out.`);
  return kept ?? { type };
}

/** The tokenizer, with a mask token where tokens are masked. */
function withMask(tokenizer: RunOptions['tokenizer'], objective: Objective['type']): typeof tokenizer {
  if (objective !== 'maskedToken' || tokenizer?.type === 'protein') return tokenizer;
  if (tokenizer?.type === 'pixels')
    throw new ConfigurationError('Values of images have no mask token: leave --objective out.');
  return { ...(tokenizer ?? { type: 'bpe', vocabSize: 1024 }), mask: true };
}

const featureFlags = {
  ...{ numFeatures: '--features', featureMap: '--feature-map', projection: '--projection' },
  nearField: '--near-field',
} as const;

/** The attention that flags give, over that of a file or preset. Keys that both kinds have are kept. */
function attentionOf(flags: TrainFlags, model: Record<string, unknown> = {}) {
  const features = defined({
    numFeatures: flags.features,
    featureMap: flags.featureMap,
    projection: flags.projection,
    ...nearFieldOf(flags),
  });
  const named = Object.keys(features) as (keyof typeof features)[];
  if (!flags.attention && named.length === 0) return {};
  const given = typeof model.attention === 'string' ? { type: model.attention } : model.attention;
  // Keys that are left behind are checked too.
  if (given !== undefined) parseConfiguration(attentionSchema, given, 'the attention of the configuration');
  const { type: earlier, ...kept } = { ...(given as Record<string, unknown> | undefined) };
  const type = flags.attention ?? (earlier as string | undefined) ?? 'favor';
  const isFeatureless = type !== 'favor' && type !== 'auto';
  if (isFeatureless && named.length > 0) {
    const list = named.map((name) => featureFlags[name]).join(', ');
    throw new ConfigurationError(
      `${featureless[type as keyof typeof featureless] ?? `Attention ${type}`} has no features: leave the flags for them out (${list}), ${
        flags.attention ? `or --attention ${type}` : 'or add --attention favor'
      }.`,
    );
  }
  if (earlier === type) return { attention: { ...kept, type, ...features } };
  const hasFeatures = earlier === 'favor' || earlier === 'auto';
  const { crossover: _, normalised: __, ...shared } = kept;
  return { attention: { ...(hasFeatures && !isFeatureless ? shared : {}), type, ...features } };
}
