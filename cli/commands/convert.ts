import { Command, Option } from 'commander';
import { type DatasetFormat, datasetFormats, isHubName } from '../../src/entries/data.ts';
import {
  attentionSchema,
  checkEmpty,
  inSteps,
  Pauses,
  parseConfiguration,
  projectionKinds,
  transformerSchema,
} from '../../src/entries/internal.ts';
import {
  type AttentionChoice,
  ConfigurationError,
  createBackend,
  saveModel,
  type TransformerConfiguration,
} from '../../src/entries/performers.ts';
import {
  balanceAttention,
  type ConversionReport,
  conversionLadder,
  conversionReport,
  type MeasuredBatch,
  type SoftmaxEstimator,
  softmaxEstimators,
} from '../../src/entries/pretrained.ts';
import { type Mode, type PlannedFlags, planned } from '../command.ts';
import { measuredBatches } from '../conversion/batches.ts';
import { describeConversion } from '../conversion/describe.ts';
import { openSource, type Source } from '../conversion/source.ts';
import { interruptSignal } from '../interrupt.ts';
import { nearFieldOf, nearFieldOptions } from '../near-field-options.ts';
import { positiveInteger, positiveIntegers, positiveNumber, wholeNumber, wholeNumbers } from '../options.ts';
import { formatCount, printJson, say } from '../output.ts';
import { WorkProgress } from '../progress.ts';
import { checkFieldFlags } from '../training/field-flags.ts';

interface ConvertFlags extends PlannedFlags {
  from: string;
  out: string;
  attention: 'favor' | 'exact' | 'auto';
  features?: number;
  kernel?: SoftmaxEstimator;
  projection?: (typeof projectionKinds)[number];
  nearField?: number;
  sinks?: number;
  keepExact?: number[];
  auto?: number;
  maxLength?: number;
  data?: string[];
  format?: DatasetFormat;
  textField?: string;
  sequences: number;
  length?: number;
  ladder?: number[];
  estimators?: SoftmaxEstimator[];
  balance: boolean;
  seed: number;
}

const modes: readonly Mode<ConvertFlags>[] = [
  {
    name: 'convert without --data, which measures nothing,',
    when: ({ data }) => data === undefined,
    refuses: ['format', 'textField', 'sequences', 'length', 'ladder', 'estimators', 'balance', 'auto'],
    advice: 'name text, sequences or images with --data',
  },
  {
    name: '--attention exact, which has no features and no exceptions,',
    when: ({ attention }) => attention === 'exact',
    refuses: ['features', 'kernel', 'projection', 'nearField', 'sinks', 'keepExact', 'auto', 'balance'],
    advice: 'leave those flags out, or --attention exact',
  },
  {
    name: '--attention exact without --data',
    when: ({ attention, data }) => attention === 'exact' && data === undefined,
    refuses: ['seed'],
  },
  {
    name: '--auto, which chooses among the features of --ladder, the near fields and the exact layers itself,',
    when: ({ auto }) => auto !== undefined,
    refuses: ['keepExact', 'features'],
  },
  {
    name: '--auto, which chooses between favor and exact layer by layer,',
    when: ({ auto, attention }) => auto !== undefined && attention === 'auto',
    refuses: ['attention'],
  },
];

export function convertCommand(): Command {
  const command = new Command('convert')
    .description('Make a Performer of a pretrained Transformer: BERT, MiniLM, RoBERTa, GPT-2, ESM-2 or ViT.')
    .requiredOption(
      '--from <dir>',
      'a directory in the layout of Hugging Face, hf://ORG/NAME, or a model of this program',
    )
    .requiredOption('--out <dir>', 'new directory of the converted model')
    .addOption(
      new Option(
        '--attention <type>',
        'favor (linear time), exact (softmax as it was), or auto: exact where that is faster',
      )
        .choices(['favor', 'exact', 'auto'])
        .default('favor'),
    )
    .option('--features <m>', 'random features (default: 256)', positiveInteger)
    .addOption(
      new Option('--kernel <name>', 'estimate of the softmax kernel (default: positive)').choices(softmaxEstimators),
    )
    .addOption(
      new Option('--projection <kind>', 'how directions are drawn together (default: orthogonal)').choices(
        projectionKinds.filter((kind) => kind !== 'none'),
      ),
    );
  for (const option of nearFieldOptions()) command.addOption(option);
  command
    .option('--keep-exact <layers>', 'layers that stay exact, such as 0,5, counted from 0', wholeNumbers)
    .option(
      '--auto <error>',
      'find features, near field and exact layers for this relative error of the embeddings',
      positiveNumber,
    )
    .option(
      '--max-length <n>',
      'longest sequence: learned positions are interpolated (default: as they are)',
      positiveInteger,
    )
    .option('--data <names...>', 'text, sequences or images to measure the conversion on: files, globs, folders, hf://')
    .addOption(new Option('--format <name>', 'format of the data (default: as the names say)').choices(datasetFormats))
    .option('--text-field <name>', 'field or column that has the text (default: text)')
    .option('--sequences <n>', 'sequences to measure', positiveInteger, 16)
    .option('--length <n>', 'tokens in each of them (default: 128, or what the model takes)', positiveInteger)
    .option('--ladder <m,…>', 'numbers of features to measure (default: 32,64,128,256,512)', positiveIntegers)
    .addOption(new Option('--estimators <names...>', 'estimates to measure (default: all)').choices(softmaxEstimators))
    .option('--no-balance', 'leave queries and keys as they are, where --data would balance them for the features')
    .option('--seed <n>', 'seed of the features', wholeNumber, 0);
  return planned<ConvertFlags>(command, { modes }, async (flags) => {
    if (flags.kernel === 'favor++' && !flags.data) {
      throw new ConfigurationError(
        'FAVOR++ takes its parameter from the data: name text, sequences or images with --data.',
      );
    }
    await checkEmpty(flags.out);
    return { resolve: () => resolved(flags), perform: () => convert(flags) };
  });
}

/** What would be made and measured. Nothing is fetched from the hub, so the length of a model there is null. */
async function resolved(flags: ConvertFlags): Promise<object> {
  const { from, out, data, sequences, seed, maxLength, auto, keepExact, kernel } = flags;
  const settings = {
    from,
    out,
    attention: parseConfiguration(attentionSchema, attentionOf(flags), '--attention'),
    kernel: kernel ?? null,
    keepExact: keepExact ?? [],
    auto: auto ?? null,
    maxLength: maxLength ?? null,
    seed,
  };
  const model = isHubName(from) ? undefined : await checkedConfiguration(flags);
  if (!data) return { ...settings, measured: null };
  const { format, textField, ladder, estimators } = flags;
  return {
    ...settings,
    measured: {
      data,
      format: format ?? null,
      textField: textField ?? null,
      sequences,
      length: model ? lengthOf(flags, model) : (flags.length ?? null),
      ladder: ladder ?? conversionLadder,
      estimators: estimators ?? softmaxEstimators,
      balance: balances(flags),
    },
  };
}

/** Opens the model and checks that it takes what the flags ask for. */
async function checkedConfiguration(flags: ConvertFlags): Promise<TransformerConfiguration> {
  const backend = await createBackend({ backend: flags.backend, numThreads: flags.threads });
  try {
    const { model } = await openSource(backend, flags.from, flags.maxLength, { signal: interruptSignal() });
    await checkChoice(model.configuration, flags, attentionOf(flags));
    return model.configuration;
  } finally {
    backend.close();
  }
}

async function convert(flags: ConvertFlags): Promise<void> {
  const signal = interruptSignal('Stopping');
  const backend = await createBackend({ backend: flags.backend, numThreads: flags.threads });
  try {
    const source = await openSource(backend, flags.from, flags.maxLength, { signal });
    const { model, unused } = source;
    say(`${source.description}, ${formatCount(model.numParameters)} parameters, on ${backend.description}`);
    if (unused.length > 0) say(`Not used: ${unused.join(', ')}`);
    const attention = attentionOf(flags);
    await checkChoice(model.configuration, flags, attention);
    let report: ConversionReport | undefined;
    if (flags.data) {
      report = await measure(source, flags, attention, signal);
      process.stdout.write(flags.json ? '' : `${describeConversion(report)}\n`);
    } else {
      const choice = { attention, exactLayers: flags.keepExact ?? [] };
      await inSteps(model.replaceAttentionInPieces(choice, flags.seed), new Pauses(signal));
      say('Not measured: name text, sequences or images with --data to see what the conversion costs.');
    }
    const others = new Map<string, Uint8Array | string>(source.others);
    if (report) others.set('conversion.json', `${JSON.stringify(report, null, 2)}\n`);
    await saveModel(flags.out, model, { tokenizer: source.tokenizerJson, others, signal });
    say(`Saved to ${flags.out}.`);
    if (flags.json) printJson({ out: flags.out, unused, report: report ?? null });
  } finally {
    backend.close();
  }
}

async function measure(
  source: Source,
  flags: ConvertFlags,
  attention: AttentionChoice['attention'],
  signal: AbortSignal,
): Promise<ConversionReport> {
  const { data = [], format, textField, sequences } = flags;
  const length = lengthOf(flags, source.model.configuration);
  const isBalanced = balances(flags);
  const wanted = isBalanced ? (1 + balancedShare) * sequences : sequences;
  const all = await measuredBatches(source, { data, format, textField, sequences: wanted, length, signal });
  const { measured, others } = isBalanced ? parted(all, sequences) : { measured: all, others: [] };
  if (isBalanced) {
    await balanceAttention(source.model, others, { signal });
    const count = others.reduce((sum, { shape }) => sum + shape[0], 0);
    say(
      `Queries and keys are balanced on ${formatCount(count)} other sequences: exact attention gives the same, features less error.`,
    );
  }
  const progress = new WorkProgress('measuring');
  try {
    return await conversionReport(source.model, measured, {
      attention,
      exactLayers: flags.keepExact,
      error: flags.auto,
      numFeatures: flags.ladder,
      estimators: flags.estimators,
      estimator: flags.kernel,
      seed: flags.seed,
      signal,
      onProgress: (done, what) => progress.update(done, what),
    });
  } finally {
    progress.stop();
  }
}

/** Sequences on which queries and keys are balanced, for each sequence on which the conversion is measured. */
const balancedShare = 3;

/** As many batches as are to be measured, at most half of them, and others to balance on; a single batch serves for both. */
function parted(
  batches: readonly MeasuredBatch[],
  sequences: number,
): { measured: readonly MeasuredBatch[]; others: readonly MeasuredBatch[] } {
  const share = sequences / batches.reduce((sum, { shape }) => sum + shape[0], 0);
  const count = Math.ceil(batches.length * Math.min(share, 0.5));
  const chosen = new Set(Array.from({ length: count }, (_, i) => Math.floor((i * batches.length) / count)));
  const others = batches.filter((_, i) => !chosen.has(i));
  return { measured: batches.filter((_, i) => chosen.has(i)), others: others.length > 0 ? others : batches };
}

/** Tokens in a sequence that is measured. */
const lengthOf = ({ length }: ConvertFlags, { maxLength }: TransformerConfiguration): number =>
  length ?? Math.min(128, maxLength);

const balances = ({ balance, attention }: ConvertFlags): boolean => balance && attention !== 'exact';

/** @throws ConfigurationError when the model does not take what the flags ask for */
async function checkChoice(
  configuration: TransformerConfiguration,
  { keepExact, length, data, format, textField }: ConvertFlags,
  attention: AttentionChoice['attention'],
): Promise<void> {
  const choice = { ...configuration, attention, exactLayers: keepExact ?? [] };
  parseConfiguration(transformerSchema, choice, 'the options');
  const { patches, positions, maxLength } = configuration;
  if (patches && length !== undefined)
    throw new ConfigurationError('A model of images takes them whole: leave --length out.');
  if (patches && (format ?? textField) !== undefined) {
    throw new ConfigurationError('A model of images reads PNG and JPEG files: leave --format and --text-field out.');
  }
  if (data) await checkFieldFlags({ textField }, { data, format });
  if (positions === 'learned' && length !== undefined && length > maxLength) {
    throw new ConfigurationError(
      `The model has ${maxLength} positions, fewer than --length ${length}: lower it, or add --max-length ${length}.`,
    );
  }
}

function attentionOf({
  attention: type,
  features,
  kernel,
  projection,
  ...nearField
}: ConvertFlags): AttentionChoice['attention'] {
  if (type === 'exact') return { type };
  return {
    type,
    ...(features !== undefined && { numFeatures: features }),
    // The report adds favor++, with the parameter that it measures.
    ...(kernel && kernel !== 'favor++' && { featureMap: kernel }),
    ...(projection && { projection }),
    ...nearFieldOf(nearField),
  };
}
