import { type Backend, Random, Transformer, type TransformerOptions, tensor } from '../../src/entries/performers.ts';
import { parseTrainingConfiguration } from '../../src/entries/training.ts';
import {
  type Contest,
  type Contestant,
  type ContestOutcome,
  contestantDirectory,
  holdContest,
} from '../contests/contest.ts';
import { modelOf } from '../contests/language-contest.ts';
import type { ExperimentContext } from '../experiment.ts';
import type { RecallConfiguration } from './configuration.ts';
import { plugIn } from './plug-in.ts';
import { type RecallSize, recallBatch, vocabSizeOf } from './sequences.ts';

export interface RecallNumbers {
  /** Exact attention after short sequences: where every contestant starts. */
  readonly start: ContestOutcome;
  /** With a test for each size of the training; the curve counts the answers of all tests alike. */
  readonly outcomes: readonly ContestOutcome[];
  /** Numbers that a layer of each contestant keeps when the last token of a sequence comes, for each size. */
  readonly states: readonly (readonly number[])[];
  /** Accuracy of each run. */
  readonly plugIn: readonly { readonly name: string; readonly runs: readonly number[] }[];
}

/** Streams of the sequences of a seed. */
const streams = { start: 1, training: 2, test: 3, plugIn: 4 } as const;

export const nameOf = ({ pairs, length }: RecallSize) => `${pairs} pairs, ${length} tokens`;

/** Recall of the keys of a sequence, by the attention of a model and the state that decoding would keep. */
export async function run(configuration: RecallConfiguration, context: ExperimentContext): Promise<RecallNumbers> {
  const { contestants, training, plugIn: plugged, alphabet, testSeed } = configuration;
  const part = (from: number, share: number): ExperimentContext => ({
    ...context,
    progress: (done, what) => context.progress(from + share * done, what),
  });
  const beginner: Contestant = { name: 'start', model: modelFor({ attention: { type: 'exact' } }, configuration) };
  const lessons = contestOf(configuration.start, streams.start, configuration);
  const [start] = await holdContest([beginner], lessons, part(0, 0.1));
  const taught = parseTrainingConfiguration(lessons.training);
  const entrants = contestants.map(
    ({ name, attention }): Contestant => ({
      name,
      model: modelFor({ attention }, configuration),
      start: ({ seed }) => contestantDirectory(beginner, { ...taught, seed }, lessons, context),
    }),
  );
  const contest = contestOf(training, streams.training, configuration);
  const outcomes = await holdContest(entrants, contest, part(0.1, 0.8));
  const exact = entrants[contestants.findIndex(({ attention }) => attention.type === 'exact')]!;
  const trained = parseTrainingConfiguration(contest.training);
  const directories = Array.from({ length: configuration.numRuns }, (_, run) =>
    contestantDirectory(exact, { ...trained, seed: trained.seed + run }, contest, context),
  );
  const question = { ...plugged.size, questions: 1, distance: plugged.distance };
  const test = recallBatch(question, alphabet, plugged.sequences, new Random(testSeed, streams.plugIn));
  return {
    start: start!,
    outcomes,
    states: await Promise.all(entrants.map(({ model }) => stateSizes(context.backend, model, training.sizes))),
    plugIn: await plugIn(directories, test, plugged, part(0.9, 0.1)),
  };
}

const modelFor = (
  contestant: { attention: { type: string } },
  { model, training, start, alphabet }: RecallConfiguration,
): TransformerOptions => ({
  ...modelOf(contestant, model, {
    vocabSize: vocabSizeOf(alphabet),
    maxLength: Math.max(...[...training.sizes, ...start.sizes].map(({ length }) => length)),
    causal: true,
  }),
  // With a matrix of its own for the output, the start is learnt in a fifth of the updates.
  tiedEmbeddings: false,
});

/** A stage of the training: its sizes take turns, each has a test of its own. Learning rates decay after the start. */
function contestOf(
  stage: RecallConfiguration['start'] & { readonly evaluateEvery?: number },
  stream: number,
  { seed, numRuns, alphabet, testTokens, testSeed }: RecallConfiguration,
): Contest {
  const { steps, tokens, learningRate, warmupSteps, evaluateEvery = 0, sizes } = stage;
  const longest = Math.max(...sizes.map(({ length }) => length));
  const test = (size: RecallSize) => {
    const random = new Random(testSeed, streams.test).fork(size.pairs).fork(size.length);
    return recallBatch(size, alphabet, rowsOf(testTokens, size), random);
  };
  return {
    training: {
      ...{ steps, learningRate, warmupSteps, evaluateEvery, seed },
      batchSize: rowsOf(tokens, { length: longest }),
      length: longest,
      checkpointEvery: evaluateEvery,
      keepCheckpoints: 1,
      schedule: { kind: evaluateEvery > 0 ? 'cosine' : 'constant' },
      weightDecay: 0,
      clip: null,
    },
    numRuns,
    data: ({ seed }) => {
      const random = new Random(seed, stream);
      return {
        batchAt: (index) => {
          const size = sizes[index % sizes.length]!;
          return recallBatch(size, alphabet, rowsOf(tokens, size), random.fork(index));
        },
      };
    },
    fingerprint: JSON.stringify([sizes, tokens, alphabet, testTokens, testSeed]),
    validation: { batches: () => sizes.map(test) },
    tests: Object.fromEntries(sizes.map((size) => [nameOf(size), { batches: () => [test(size)] }])),
  };
}

const rowsOf = (tokens: number, { length }: Pick<RecallSize, 'length'>) => Math.max(1, Math.round(tokens / length));

/** Numbers in the decoding state of a layer before the last token of each size; these are the same for any weights. */
async function stateSizes(backend: Backend, options: TransformerOptions, sizes: readonly RecallSize[]) {
  const model = new Transformer(backend, options);
  const found: number[] = [];
  try {
    for (const { length } of sizes) {
      const states = model.createStates();
      const ids = tensor(backend, new Int32Array(length - 1), [1, length - 1]);
      try {
        model.advance(ids, states);
        const { arrays } = await states[0]!.save();
        found.push(Object.values(arrays).reduce((sum, array) => sum + (array?.length ?? 0), 0));
      } finally {
        ids.dispose();
        for (const state of states) state.dispose();
      }
    }
    return found;
  } finally {
    model.dispose();
  }
}

/** Accuracy in a test, %, of each run. */
export const accuraciesOf = ({ runs, tests }: ContestOutcome, size: RecallSize): number[] =>
  (runs ?? [tests]).map((run) => 100 * (run[nameOf(size)]?.accuracy ?? Number.NaN));
