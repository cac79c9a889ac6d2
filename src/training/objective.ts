import { ConfigurationError } from '../base/errors.ts';
import { checkArguments, option } from '../base/options.ts';
import { Masking, maskedEvaluation, maskedTraining } from '../data/batches/masking.ts';
import { evaluationSequences, trainingSequences } from '../data/batches/sequences.ts';
import {
  type EvaluationWindows,
  evaluationWindows,
  type TrainingWindows,
  trainingWindows,
} from '../data/batches/windows.ts';
import type { TokenSplit } from '../data/tokens/token-store.ts';
import { tokenSplitKind } from '../data/tokens/token-store.ts';
import type { TransformerConfiguration } from '../model/configuration.ts';
import { transformerConfigurationKind } from '../model/configuration.ts';
import {
  classificationLoss,
  classLossOf,
  type HiddenLoss,
  type LossFunction,
  languageModelLoss,
  tokenLossOf,
} from '../model/losses.ts';
import type { Tokenizer } from '../tokenizers/tokenizer.ts';
import { vocabularyKind } from '../tokenizers/tokenizer.ts';
import {
  type Objective,
  objectiveKind,
  parseTrainingConfiguration,
  type TrainingConfiguration,
} from './configuration.ts';

/** The loss that a model is trained and measured by. @throws ConfigurationError for distillation, which is measured against a teacher */
export function objectiveLoss(objective: Objective): LossFunction {
  checkArguments('objectiveLoss', { objective }, { objective: objectiveKind });
  return ofObjective(objective, classificationLoss, languageModelLoss);
}

/** {@link objectiveLoss} of hidden states. */
export function objectiveHiddenLoss(objective: Objective): HiddenLoss {
  return ofObjective(objective, classLossOf, tokenLossOf);
}

function ofObjective<T>({ type }: Objective, ofClasses: T, ofTokens: T): T {
  if (type === 'distillation') {
    throw new ConfigurationError(
      'Objective distillation has no loss without a teacher: measure another objective, such as nextToken.',
    );
  }
  return type === 'classification' ? ofClasses : ofTokens;
}

/** @throws ConfigurationError when a model of this configuration cannot learn the objective */
export function checkObjective(objective: Objective, model: TransformerConfiguration): void {
  checkArguments(
    'checkObjective',
    { objective, model },
    {
      objective: objectiveKind,
      model: transformerConfigurationKind,
    },
  );
  const { type } = objective;
  const { causal, numClasses, pooling, languageHead } = model;
  if (type === 'distillation') return;
  if (type === 'nextToken' && !causal) {
    throw new ConfigurationError(
      'Objective nextToken needs a causal model, as a bidirectional one sees what it predicts: set "causal": true.',
    );
  }
  if (type === 'classification' && numClasses === undefined) {
    throw new ConfigurationError(
      'Objective classification needs a classification head: set "numClasses" in the model configuration.',
    );
  }
  if (type !== 'classification' && !languageHead) {
    throw new ConfigurationError(
      `Objective ${type} needs a language head, which this model lacks: learn from a teacher, by distillation.`,
    );
  }
  if (type === 'nextToken') return;
  // A causal model's last position has seen the whole sequence.
  if (causal && !(type === 'classification' && pooling === 'last')) {
    throw new ConfigurationError(
      `Objective ${type} needs a bidirectional model: set "causal": false in the model configuration.`,
    );
  }
}

/** What batches need to know of a tokenizer. */
export type Vocabulary = Pick<Tokenizer, 'vocabSize' | 'specials' | 'specialTokens'>;

/**
 * Training batches for the configuration's objective and packing: a function of (seed, index), so that a run resumes
 * exactly. For classification the documents of `tokens` have `labels`.
 *
 * @throws ConfigurationError when the data, the tokenizer and the objective do not fit together
 */
export function trainingBatches(
  tokens: TokenSplit,
  configuration: TrainingConfiguration,
  vocabulary: Vocabulary,
): TrainingWindows {
  checkArguments(
    'trainingBatches',
    { tokens, configuration, vocabulary },
    {
      tokens: tokenSplitKind,
      configuration: option.plain,
      vocabulary: vocabularyKind,
    },
  );
  const training = parseTrainingConfiguration(configuration);
  const { batchSize, seed } = training;
  const plan = planOf(training, vocabulary, tokens.labels);
  const windows =
    plan.packing === 'windows'
      ? trainingWindows(tokens, { length: plan.length, targets: plan.targets, batchSize, seed })
      : trainingSequences(tokens, { ...plan, packing: plan.packing, batchSize, seed });
  const masking = maskingOf(training, vocabulary, seed);
  return masking ? maskedTraining(windows, masking) : windows;
}

/**
 * Held-out batches likewise; the same tokens are masked at every evaluation, whatever the seed and size of the batches.
 */
export function heldOutBatches(
  tokens: TokenSplit,
  configuration: Pick<TrainingConfiguration, 'objective' | 'packing' | 'length'>,
  vocabulary: Vocabulary,
  batchSize: number,
): Omit<EvaluationWindows, 'numPredicted'> {
  checkArguments(
    'heldOutBatches',
    { tokens, configuration, vocabulary, batchSize },
    {
      tokens: tokenSplitKind,
      configuration: option.having('a training configuration', {
        objective: objectiveKind,
        packing: option.optional(option.oneOf('windows', 'pack', 'pad')),
        length: option.count,
      }),
      vocabulary: vocabularyKind,
      batchSize: option.count,
    },
  );
  const plan = planOf(configuration, vocabulary, tokens.labels);
  const windows =
    plan.packing === 'windows'
      ? evaluationWindows(tokens, { length: plan.length, targets: plan.targets, batchSize })
      : evaluationSequences(tokens, { ...plan, packing: plan.packing, batchSize });
  const masking = maskingOf(configuration, vocabulary, heldOutSeed);
  return masking ? maskedEvaluation(windows, masking, batchSize) : windows;
}

/** Masks of held-out tokens are the same for every run, so that runs compare. */
const heldOutSeed = 0;

/** How rows are made. @throws ConfigurationError when packing, objective and classes do not fit together */
function planOf(
  { objective, packing, length }: Pick<TrainingConfiguration, 'objective' | 'packing' | 'length'>,
  { specialTokens }: Vocabulary,
  labels: readonly number[] | undefined,
) {
  const isClassification = objective.type === 'classification';
  if (isClassification && !labels) {
    throw new ConfigurationError('Objective classification needs a class for each document: give data with labels.');
  }
  if (isClassification && packing !== undefined && packing !== 'pad') {
    throw new ConfigurationError(
      `Objective classification has one sequence to a row: use packing pad, not ${packing}.`,
    );
  }
  return {
    length,
    packing: packing ?? (isClassification ? ('pad' as const) : ('windows' as const)),
    targets: objective.type === 'nextToken' ? ('following' as const) : ('itself' as const),
    classes: isClassification ? labels : undefined,
    begin: specialTokens.beginning,
    padding: specialTokens.padding,
  };
}

function maskingOf(
  { objective }: Pick<TrainingConfiguration, 'objective'>,
  { vocabSize, specials, specialTokens }: Vocabulary,
  seed: number,
): Masking | undefined {
  if (objective.type !== 'maskedToken') return undefined;
  const { mask } = specialTokens;
  if (mask === undefined) {
    throw new ConfigurationError(
      'Objective maskedToken needs a mask token, which this tokenizer lacks: use one that has it.',
    );
  }
  return new Masking({ fraction: objective.fraction, mask, vocabSize, specials: specials.values(), seed });
}
