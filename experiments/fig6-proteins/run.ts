import { empiricalBaseline, type TokenSplit } from '../../src/entries/data.ts';
import { targetCounts } from '../../src/entries/internal.ts';
import { trainingBatches } from '../../src/entries/training.ts';
import { type ContestOutcome, holdContest } from '../contests/contest.ts';
import { modelOf, trainingOptions } from '../contests/language-contest.ts';
import { type Direction, objectives, spreadBatches } from '../contests/language-data.ts';
import type { ExperimentContext } from '../experiment.ts';
import { type Proteins, readProteins } from '../sources/proteins.ts';
import type { Fig6Configuration } from './configuration.ts';

/** What predicting by the frequencies of training residues reaches. */
export interface Baseline {
  readonly accuracy: number;
  readonly loss: number;
}

export interface DirectionNumbers {
  readonly outcomes: readonly ContestOutcome[];
  /** By the name of the test. */
  readonly baseline: Readonly<Record<string, Baseline>>;
}

export interface Fig6Numbers {
  readonly U: DirectionNumbers;
  readonly B: DirectionNumbers;
  readonly records: Proteins['records'];
  /** Tokens of training data, separators included. */
  readonly trainingTokens: number;
}

/** Figure 6: protein language models with the attention of each contestant, on one budget of tokens. */
export async function run(configuration: Fig6Configuration, context: ExperimentContext): Promise<Fig6Numbers> {
  const proteins = await readProteins(configuration.data, configuration.split);
  const half = (start: number): ExperimentContext => ({
    ...context,
    progress: (done, what) => context.progress(start + done / 2, `${start === 0 ? 'U' : 'B'}: ${what}`),
  });
  return {
    U: await contestOf('U', proteins, configuration, half(0)),
    B: await contestOf('B', proteins, configuration, half(0.5)),
    records: proteins.records,
    trainingTokens: proteins.train.length,
  };
}

async function contestOf(
  direction: Direction,
  { tokenizer, train, fingerprint, test, outOfDistribution }: Proteins,
  { model, training, contestants }: Fig6Configuration,
  context: ExperimentContext,
): Promise<DirectionNumbers> {
  const { length, evaluationBatches, testBatches } = training;
  const options = { ...trainingOptions(training), objective: objectives[direction] };
  const heldOut = (tokens: TokenSplit, numBatches: number) => spreadBatches(tokens, options, tokenizer, numBatches);
  const tests = {
    test: heldOut(test, testBatches),
    'out of distribution': heldOut(outOfDistribution, testBatches),
  };
  const sizes = { vocabSize: tokenizer.vocabSize, maxLength: length, causal: direction === 'U' };
  const outcomes = await holdContest(
    contestants
      .filter(({ directions }) => directions.includes(direction))
      .map(({ name, attention }) => ({ name, model: modelOf({ attention }, model, sizes) })),
    {
      training: options,
      numRuns: training.numRuns,
      data: (training) => trainingBatches(train, training, tokenizer),
      fingerprint,
      validation: heldOut(test, evaluationBatches),
      tests,
    },
    context,
  );
  const counts = await targetCounts(heldOut(train, Number.POSITIVE_INFINITY).batches(), tokenizer.vocabSize);
  const baseline = Object.entries(tests).map(async ([name, { batches }]): Promise<[string, Baseline]> => {
    const { accuracy, perplexity } = await empiricalBaseline(counts, batches());
    return [name, { accuracy, loss: Math.log(perplexity) }];
  });
  return { outcomes, baseline: Object.fromEntries(await Promise.all(baseline)) };
}
