import { type TrainingConfiguration, trainingBatches } from '../../src/entries/training.ts';
import { type Contestant, type ContestOutcome, holdContest } from '../contests/contest.ts';
import { modelOf, trainingOptions } from '../contests/language-contest.ts';
import { objectives, spreadBatches } from '../contests/language-data.ts';
import type { ExperimentContext } from '../experiment.ts';
import { readProteins } from '../sources/proteins.ts';
import type { Fig16Configuration } from './configuration.ts';

export interface Fig16Numbers {
  /** Rows of attention divided by their sums. */
  readonly normalised: readonly ContestOutcome[];
  readonly unnormalised: readonly ContestOutcome[];
}

/** Figures 16 and 17: next residues with generalised attention of several kernels, normalised or not. */
export async function run(configuration: Fig16Configuration, context: ExperimentContext): Promise<Fig16Numbers> {
  const { data, split, model, training, kernels, numFeatures, projection, epsilon } = configuration;
  const { tokenizer, train, test, fingerprint } = await readProteins(data, split);
  const { length, evaluationBatches, testBatches } = training;
  const { vocabSize } = tokenizer;
  const options = { ...trainingOptions(training), objective: objectives.U };
  const contest = {
    training: options,
    numRuns: training.numRuns,
    data: (training: TrainingConfiguration) => trainingBatches(train, training, tokenizer),
    fingerprint,
    validation: spreadBatches(test, options, tokenizer, evaluationBatches),
    tests: { test: spreadBatches(test, options, tokenizer, testBatches) },
  };
  const contestants = (normalised: boolean): Contestant[] =>
    kernels.map((activation) => {
      const featureMap = { type: 'generalised', activation, epsilon };
      const attention = { type: 'favor', featureMap, numFeatures, projection, normalised };
      return { name: activation, model: modelOf({ attention }, model, { vocabSize, maxLength: length, causal: true }) };
    });
  const half = (start: number, label: string): ExperimentContext => ({
    ...context,
    progress: (done, what) => context.progress(start + done / 2, `${label}: ${what}`),
  });
  return {
    normalised: await holdContest(contestants(true), contest, half(0, 'normalised')),
    unnormalised: await holdContest(contestants(false), contest, half(0.5, 'not normalised')),
  };
}
