import { type Batch, datasetText, openDataset, tokenizeDataset } from '../../src/entries/data.ts';
import { trainUnigram } from '../../src/entries/tokenizers.ts';
import { type HeldOutData, type TrainingConfiguration, trainingBatches } from '../../src/entries/training.ts';
import { type ContestOutcome, holdContest } from '../contests/contest.ts';
import { modelOf, trainingOptions } from '../contests/language-contest.ts';
import { objectives, spreadBatches } from '../contests/language-data.ts';
import type { ExperimentContext } from '../experiment.ts';
import type { Fig5Configuration } from './configuration.ts';

export interface Fig5Numbers {
  /** Of each panel. */
  readonly panels: readonly (readonly ContestOutcome[])[];
  readonly numBooks: number;
  readonly trainingTokens: number;
  readonly heldOutTokens: number;
  /** Of the books held out. */
  readonly charactersPerToken: number;
}

/** Name of the test on all positions. */
export const wholeTest = 'held out';

/** Name of the test on the positions of a range, the last left out. */
export const rangeTest = (start: number, end: number) => `positions ${start} to ${end - 1}`;

/**
 * Figure 5, right: language models of books with the estimates of softmax attention. Panels of direction U predict the
 * next token. Those of direction B predict hidden tokens from both sides, as Linformer can do nothing else.
 */
export async function run(configuration: Fig5Configuration, context: ExperimentContext): Promise<Fig5Numbers> {
  const { data, heldOut, vocabSize, seed, model, panels } = configuration;
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
  const reached: ContestOutcome[][] = [];
  for (const [index, { title, direction, training, positionEnds, contestants }] of panels.entries()) {
    const { length, numRuns, evaluationBatches, testBatches } = training;
    const options = { ...trainingOptions(training), objective: objectives[direction] };
    const sizes = { vocabSize: tokenizer.vocabSize, maxLength: length, causal: direction === 'U' };
    const test = spreadBatches(store.heldOut, options, tokenizer, testBatches);
    const ranges = positionEnds.map((end, i): [string, HeldOutData] => {
      const start = positionEnds[i - 1] ?? 0;
      return [rangeTest(start, end), onlyPositions(test, start, end)];
    });
    const progress = (done: number, what: string) =>
      context.progress((index + done) / panels.length, `${title}: ${what}`);
    reached.push(
      await holdContest(
        contestants.map(({ name, attention }) => ({ name, model: modelOf({ attention }, model, sizes) })),
        {
          training: options,
          numRuns,
          data: (training: TrainingConfiguration) => trainingBatches(store.train, training, tokenizer),
          fingerprint: store.fingerprint,
          validation: spreadBatches(store.heldOut, options, tokenizer, evaluationBatches),
          tests: { [wholeTest]: test, ...Object.fromEntries(ranges) },
        },
        { ...context, progress },
      ),
    );
  }
  return {
    panels: reached,
    numBooks: store.train.documents.length + store.heldOut.documents.length,
    trainingTokens: store.train.length,
    heldOutTokens: store.heldOut.length,
    charactersPerToken: store.heldOut.characters / store.heldOut.length,
  };
}

/** The same batches, in which only the targets at positions `start … end − 1` count. */
function onlyPositions({ batches }: HeldOutData, start: number, end: number): HeldOutData {
  return {
    batches: async function* (): AsyncGenerator<Batch, void, undefined> {
      for await (const batch of batches()) {
        const targets = batch.targets.map((target, i) => {
          const position = i % batch.length;
          return position >= start && position < end ? target : -1;
        });
        yield { ...batch, targets };
      }
    },
  };
}
