/** What `train` and `finetune` have in common: their options, and how a run is carried out. */
import { Option } from 'commander';
import { type DatasetFormat, datasetFormats } from '../../src/entries/data.ts';
import { commandLine, usualFraction } from '../../src/entries/internal.ts';
import { type Backend, ConfigurationError, createBackend } from '../../src/entries/performers.ts';
import type { Objective } from '../../src/entries/training.ts';
import type { Mode, PlannedFlags } from '../command.ts';
import { interruptSignal } from '../interrupt.ts';
import { fractionBelow1, positiveInteger, positiveNumber, wholeNumber } from '../options.ts';
import { formatBytes, formatCount, printJson, say } from '../output.ts';
import type { RunOptions } from './configuration.ts';
import { describeSpeed, endless, finishRun, type Run } from './run.ts';

export const objectives = {
  'next-token': 'nextToken',
  'masked-token': 'maskedToken',
  classification: 'classification',
  distillation: 'distillation',
} as const;
const packings = ['windows', 'pack', 'pad'] as const;

export interface TrainingFlags extends PlannedFlags {
  data?: string[];
  format?: DatasetFormat;
  textField?: string;
  labelField?: string;
  out: string;
  resume?: boolean;
  objective?: keyof typeof objectives;
  packing?: (typeof packings)[number];
  split?: NonNullable<RunOptions['split']>['by'];
  heldOut?: number;
  steps?: number;
  minutes?: number;
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
}

/** Modes of both commands. A resumed run keeps what it was started with. */
export const trainingModes = (command: string): readonly Mode<TrainingFlags>[] => [
  {
    name: `${command} --resume, which keeps what the run was started with,`,
    when: ({ resume }) => resume === true,
    takes: ['resume', 'out', 'steps', 'minutes'],
  },
  {
    name: '--split none, which holds nothing out,',
    when: ({ split }) => split === 'none',
    refuses: ['heldOut', 'evaluateEvery', 'evaluationBatches'],
  },
  {
    name: '--split given, which divides as the files are named,',
    when: ({ split }) => split === 'given',
    refuses: ['heldOut'],
  },
];

/** Which data. */
export const dataOptions = (): Option[] => [
  new Option('--data <names...>', 'files, globs, folders, or hf://datasets/ORG/NAME'),
  new Option('--format <name>', 'format of the data (default: as the names say)').choices(datasetFormats),
  new Option('--text-field <name>', 'field of JSONL or column of Parquet that has the text (default: text)'),
];

/** How rows are made of it. */
export const packingOption = (standard: string): Option =>
  new Option(
    '--packing <how>',
    `rows: windows of one stream, whole documents packed, or one padded (default: ${standard})`,
  ).choices(packings);

/** What is held out, and how long and how fast is trained. */
export const updateOptions = ({ length, learningRate }: { length: string; learningRate: string }): Option[] => [
  new Option(
    '--split <rule>',
    'what is held out (default: tail of text files, as named or by document of others)',
  ).choices(['tail', 'document', 'none', 'given', 'group']),
  new Option('--held-out <fraction>', `share of the text that is held out (default: ${usualFraction})`).argParser(
    fractionBelow1,
  ),
  new Option('--steps <n>', 'updates (default: 1000, or what --minutes allow)').argParser(positiveInteger),
  new Option('--minutes <x>', 'end after this time, with a checkpoint (default: when --steps are made)').argParser(
    positiveNumber,
  ),
  new Option('--batch-size <n>', 'sequences in a batch (default: 8)').argParser(positiveInteger),
  new Option('--length <n>', `tokens in a sequence (default: ${length})`).argParser(positiveInteger),
  new Option('--accumulate <n>', 'batches whose gradients make one update (default: 1)').argParser(positiveInteger),
  new Option('--learning-rate <x>', `peak learning rate (default: ${learningRate})`).argParser(positiveNumber),
  new Option('--warmup-steps <n>', 'updates of linear warm-up (default: 0)').argParser(wholeNumber),
  new Option('--evaluate-every <n>', 'updates between evaluations; 0 = only at the end (default: 200)').argParser(
    wholeNumber,
  ),
  new Option('--evaluation-batches <n>', 'most batches that an evaluation measures (default: all)').argParser(
    positiveInteger,
  ),
  new Option('--checkpoint-every <n>', 'updates between checkpoints; 0 = only at the end (default: 200)').argParser(
    wholeNumber,
  ),
  new Option('--keep-checkpoints <k>', 'newest checkpoints kept (default: 3)').argParser(positiveInteger),
];

/** The keys of a training configuration that flags give. */
export function trainingOf(flags: TrainingFlags, given: RunOptions['training']): NonNullable<RunOptions['training']> {
  const { packing, minutes, batchSize, length, accumulate, learningRate, warmupSteps, seed } = flags;
  const { evaluateEvery, checkpointEvery, keepCheckpoints } = flags;
  const type = flags.objective && objectives[flags.objective];
  const objective = type === undefined || type === given?.objective?.type ? undefined : { type };
  const steps = flags.steps ?? (minutes !== undefined && given?.steps === undefined ? endless : undefined);
  const named = { objective, packing, steps, batchSize, length, accumulate, learningRate, warmupSteps, seed };
  return defined({ ...named, evaluateEvery, checkpointEvery, keepCheckpoints });
}

/** Options of the data; those of a preset belong to its format and go with it. */
export function datasetOf(
  { format, textField, labelField }: TrainingFlags,
  preset: RunOptions['dataset'] = {},
  file: RunOptions['dataset'] = {},
): Record<string, unknown> {
  const given = { ...file, ...defined({ format, text: textField, label: labelField }) };
  const isOther = given.format !== undefined && given.format !== preset.format;
  return { ...(isOther ? {} : preset), ...given };
}

/**
 * What flags say about the split: another rule, or another share of the rule that a file or preset gives.
 *
 * @throws ConfigurationError where that rule has no share
 */
export function splitOf(
  { split, heldOut }: TrainingFlags,
  objective: Objective['type'],
  given: RunOptions['split'],
): RunOptions['split'] {
  if (split === undefined && heldOut === undefined) return given;
  const by = split ?? given?.by ?? (objective === 'classification' ? 'document' : 'tail');
  const kept = given?.by === by ? given : undefined;
  if (by === 'none' || by === 'given') {
    if (heldOut === undefined) return kept ?? { by };
    throw new ConfigurationError(`A split by "${by}" has no share: leave --held-out out, or name another --split.`);
  }
  return { ...kept, by, ...defined({ fraction: heldOut }) };
}

/** The entries of `object` that have a value. */
export function defined<T extends object>(object: T): Partial<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/**
 * Carries a run out to its end, or to a Ctrl-C, and says what came of it.
 *
 * @param command continues it, after `performers`
 * @param open makes the run, or finds it again; Ctrl-C aborts its signal
 * @param finished is given the run that has ended
 */
export async function carryOut(
  flags: TrainingFlags,
  command: string,
  open: (backend: Backend, signal: AbortSignal) => Promise<Run>,
  finished: (run: Run) => Promise<void> = async () => {},
): Promise<void> {
  const { out } = flags;
  const signal = interruptSignal();
  const backend = await createBackend({ backend: flags.backend, numThreads: flags.threads });
  try {
    const run = await open(backend, signal);
    const { store } = run.corpus;
    interruptSignal('Saving after this step');
    say(
      `${formatCount(run.model.numParameters)} parameters, ${formatCount(store.train.length)} training tokens, ` +
        `${formatCount(store.heldOut.length)} held out, on ${backend.description}`,
    );
    const result = await finishRun(run, run.model.configuration.attention.type, signal, flags.minutes);
    await store.close();
    if (result.interrupted) {
      process.exitCode = 130;
      say(`Stopped at step ${result.step}. Continue with:\n  ${commandLine()} ${command} --resume --out ${out}`);
    } else {
      await finished(run);
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
