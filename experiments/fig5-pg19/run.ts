import { datasetText, openDataset, tokenizeDataset } from '../../src/entries/data.ts';
import { trainUnigram } from '../../src/entries/tokenizers.ts';
import { type TrainingConfiguration, trainingBatches } from '../../src/entries/training.ts';
import { type ContestOutcome, holdContest } from '../contests/contest.ts';
import { modelOf, trainingOptions } from '../contests/language-contest.ts';
import { objectives, spreadBatches } from '../contests/language-data.ts';
import type { ExperimentContext } from '../experiment.ts';
import type { Fig5Configuration } from './configuration.ts';

export interface Fig5Numbers {
  readonly outcomes: readonly ContestOutcome[];
  readonly numBooks: number;
  readonly trainingTokens: number;
  readonly heldOutTokens: number;
}

/**
 * Figure 5, right: language models of books with the estimates of softmax attention. Hidden tokens are predicted, from
 * both sides, as Linformer can do nothing else.
 */
export async function run(configuration: Fig5Configuration, context: ExperimentContext): Promise<Fig5Numbers> {
  const { data, heldOut, vocabSize, model, training, contestants } = configuration;
  const { length, evaluationBatches, testBatches, seed } = training;
  const dataset = await openDataset({
    format: 'pg19',
    data: [data],
    split: { by: 'document', fraction: heldOut, seed },
  });
  context.progress(0, 'training the tokenizer');
  const tokenizer = await trainUnigram(datasetText(dataset, 'train'), { vocabSize, mask: true, endOfText: true });
  const store = await tokenizeDataset(dataset, tokenizer);
  const { bad } = store;
  if (bad.count > 0) throw new Error(`Some books cannot be used; fix or remove them:\n${bad.describe()}`);
  const options = { ...trainingOptions(training), objective: objectives.B };
  const outcomes = await holdContest(
    contestants.map(({ name, attention }) => ({
      name,
      model: modelOf({ attention }, model, { vocabSize: tokenizer.vocabSize, maxLength: length, causal: false }),
    })),
    {
      training: options,
      numRuns: training.numRuns,
      data: (training: TrainingConfiguration) => trainingBatches(store.train, training, tokenizer),
      fingerprint: store.fingerprint,
      validation: spreadBatches(store.heldOut, options, tokenizer, evaluationBatches),
      tests: { test: spreadBatches(store.heldOut, options, tokenizer, testBatches) },
    },
    context,
  );
  return {
    outcomes,
    numBooks: store.train.documents.length + store.heldOut.documents.length,
    trainingTokens: store.train.length,
    heldOutTokens: store.heldOut.length,
  };
}
