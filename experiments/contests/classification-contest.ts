import type { z } from 'zod';
import { evaluationExamples, type TokenSplit, type TokenStore, trainingExamples } from '../../src/entries/data.ts';
import { dataFingerprint, tokensFingerprint } from '../../src/entries/internal.ts';
import type { ExperimentContext } from '../experiment.ts';
import { accuracyMeasure, curvesFigure, outcomesTable } from '../results/curves.ts';
import { formatNumber } from '../results/markdown.ts';
import { type ContestOutcome, holdContest } from './contest.ts';
import {
  type AttentionContestant,
  type ContestTraining,
  modelOf,
  type modelSizes,
  trainingOptions,
} from './language-contest.ts';
import { spread } from './language-data.ts';

export interface ClassificationNumbers {
  readonly outcomes: readonly ContestOutcome[];
  readonly numClasses: number;
  readonly numTraining: number;
  readonly numTest: number;
  /** Share of the commonest class of the test. */
  readonly majority: number;
}

/**
 * Trains classifiers that read the mean over a text, each text a row of its own.
 *
 * @param test texts with classes, as `train` has them
 */
export async function classify(
  { train, vocabSize }: Pick<TokenStore, 'train' | 'vocabSize'>,
  test: TokenSplit,
  settings: {
    readonly model: z.output<typeof modelSizes>;
    readonly training: ContestTraining;
    readonly contestants: readonly AttentionContestant[];
  },
  context: ExperimentContext,
): Promise<ClassificationNumbers> {
  const { model, training, contestants } = settings;
  const { batchSize, length, evaluationBatches, testBatches } = training;
  const { labels = [] } = train;
  const { labels: testLabels = [] } = test;
  const numClasses = 1 + [...labels, ...testLabels].reduce((most, label) => Math.max(most, label), 0);
  const fingerprint = await tokensFingerprint(train, vocabSize);
  const examples = evaluationExamples(test, { batchSize, length });
  const outcomes = await holdContest(
    contestants.map(({ name, attention }) => ({
      name,
      model: { ...modelOf({ attention }, model, { vocabSize, maxLength: length, causal: false }), numClasses },
    })),
    {
      training: { ...trainingOptions(training), objective: { type: 'classification' } },
      numRuns: training.numRuns,
      data: ({ seed }) => trainingExamples(train, { batchSize, length, seed }),
      fingerprint: JSON.stringify(dataFingerprint({ train, fingerprint }, [])),
      validation: spread(examples, evaluationBatches),
      tests: { test: spread(examples, testBatches) },
    },
    context,
  );
  const counts = new Array<number>(numClasses).fill(0);
  for (const label of testLabels) counts[label]!++;
  const numTest = testLabels.length;
  return {
    outcomes,
    numClasses,
    numTraining: labels.length,
    numTest,
    majority: Math.max(...counts) / numTest,
  };
}

export function drawClassification(
  title: string,
  subtitle: string,
  { outcomes, majority }: ClassificationNumbers,
): string {
  const baseline = { label: 'commonest class', value: 100 * majority };
  return curvesFigure(title, subtitle, [{ title: 'Test', measure: accuracyMeasure, outcomes, baseline }]);
}

/** @param reported accuracies of the paper by the name of the contestant */
export function tabulateClassification(
  { outcomes, numClasses, numTraining, numTest, majority }: ClassificationNumbers,
  reported: Readonly<Record<string, string>>,
): string {
  const transformer = outcomes.find(({ name }) => name === 'Transformer');
  const speeds = outcomes
    .filter((outcome) => outcome !== transformer)
    .map(({ name, stepsPerSecond }) => `${name} ${(stepsPerSecond / (transformer?.stepsPerSecond ?? 1)).toFixed(2)} ×`);
  return [
    `${numTraining} texts of ${numClasses} classes to train on, ${numTest} to test, of which ${(100 * majority).toFixed(1)} % have the commonest class.`,
    '',
    outcomesTable(outcomes, [accuracyMeasure], {
      reference: { head: 'Long Range Arena, %', of: (name) => reported[name] ?? '–' },
    }),
    ...(transformer
      ? [
          '',
          `Updates per second: Transformer ${formatNumber(transformer.stepsPerSecond)}, ${speeds.join(', ')} as many.`,
        ]
      : []),
  ].join('\n');
}
