/** What `--dry-run` prints of a training: everything that the run would be made of. */

import { type Dataset, isHubName } from '../../src/entries/data.ts';
import { checkObjective } from '../../src/entries/internal.ts';
import type { TransformerConfiguration } from '../../src/entries/performers.ts';
import type { RunConfiguration } from './configuration.ts';
import { fixedTokenizer, openRunDataset, vocabularyOf } from './corpus.ts';
import { changedConfiguration, type InitialModel, usualPacking } from './initial-model.ts';
import { checkNoRun, newModelConfiguration, readRun } from './run.ts';
import type { TrainingFlags } from './training-options.ts';

/** The part of a configuration that both beginnings and resumptions have. */
interface ResolvedRun {
  readonly out: string;
  /** The checkpoint that the run continues from. */
  readonly resume: string | null;
  readonly minutes: number | null;
  /** The model that finetuning starts from. */
  readonly from: string | null;
  readonly data: readonly string[];
  /** Absolute paths; null for files on the hub, as nothing is fetched. */
  readonly files: readonly string[] | null;
  readonly dataset: object;
  readonly split: object | null;
  /** Null: that of the model. */
  readonly tokenizer: object | null;
  /** A size that only the text tells, such as that of a vocabulary of characters, is null. */
  readonly model: object;
  readonly training: object;
  readonly evaluationBatches: number | null;
}

/** A run that starts from nothing. @throws as starting would, as far as that is known without reading the data */
export async function resolvedRun(flags: TrainingFlags, configuration: RunConfiguration): Promise<ResolvedRun> {
  await checkNoRun(flags.out);
  const dataset = await findData(configuration);
  const { tokenizer, training } = configuration;
  const fixed = dataset && fixedTokenizer(configuration, dataset);
  const trained = 'vocabSize' in tokenizer ? tokenizer.vocabSize : undefined;
  const vocabSize = fixed && dataset ? vocabularyOf(fixed, dataset).vocabSize : trained;
  const isClassification = training.objective.type === 'classification';
  const numClasses = classesOf(dataset);
  const model = newModelConfiguration(configuration, {
    vocabSize: vocabSize ?? Number(configuration.model.vocabSize ?? 1),
    numClasses: isClassification ? (numClasses ?? Number(configuration.model.numClasses ?? 2)) : undefined,
  });
  return {
    ...common(flags, configuration, dataset),
    from: null,
    tokenizer,
    model: {
      ...model,
      vocabSize: vocabSize ?? null,
      ...(isClassification && { numClasses: numClasses ?? null }),
    },
    training: { ...training, packing: training.packing ?? (isClassification ? 'pad' : 'windows') },
  };
}

/** A run that starts from a model. @throws as starting would, as far as that is known without reading the data */
export async function resolvedFinetuning(
  flags: TrainingFlags,
  configuration: RunConfiguration,
  initial: InitialModel,
): Promise<ResolvedRun> {
  await checkNoRun(flags.out);
  const model: TransformerConfiguration = changedConfiguration(initial, configuration);
  const { training } = configuration;
  checkObjective(training.objective, model);
  const dataset = await findData(configuration);
  const { distillation } = training;
  return {
    ...common(flags, configuration, dataset),
    from: initial.directory,
    tokenizer: null,
    model,
    training: {
      ...training,
      packing: training.packing ?? (dataset ? usualPacking(model, dataset) : null),
      ...(distillation && { distillation: { ...distillation, teacher: distillation.teacher ?? initial.directory } }),
    },
  };
}

/** A run that continues. @throws when the run does not exist */
export async function resolvedResume(flags: TrainingFlags): Promise<ResolvedRun> {
  const { checkpoint, directory, configuration } = await readRun(flags.out, flags);
  return {
    ...common(flags, configuration, await findData(configuration)),
    resume: directory,
    from: configuration.from ?? null,
    tokenizer: configuration.from === undefined ? configuration.tokenizer : null,
    model: checkpoint.config as object,
    training: configuration.training,
  };
}

function common({ out, minutes }: TrainingFlags, configuration: RunConfiguration, dataset: Dataset | undefined) {
  const { data, split, evaluationBatches } = configuration;
  const { data: _, split: __, ...options } = dataset?.configuration ?? { ...configuration.dataset };
  return {
    out,
    resume: null,
    minutes: minutes ?? null,
    data,
    files: dataset?.files ?? null,
    dataset: options,
    split: dataset?.split ?? split ?? null,
    evaluationBatches: evaluationBatches ?? null,
  };
}

/** The data's files; undefined where some would have to be fetched. */
async function findData(configuration: RunConfiguration): Promise<Dataset | undefined> {
  return configuration.data.some(isHubName) ? undefined : openRunDataset(configuration);
}

function classesOf(dataset: Dataset | undefined): number | undefined {
  if (dataset?.configuration.format === 'listops') return 10;
  return dataset?.configuration.format === 'labelled' ? dataset.configuration.classes?.length : undefined;
}
