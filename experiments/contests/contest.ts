import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { findCheckpoint, loadTransformer, restoreModel } from '../../src/entries/internal.ts';
import { type Backend, Transformer, type TransformerOptions } from '../../src/entries/performers.ts';
import {
  type Evaluation,
  evaluate,
  type HeldOutData,
  loadCheckpoint,
  objectiveLoss,
  parseTrainingConfiguration,
  type TrainingConfiguration,
  type TrainingData,
  type TrainingOptions,
  train,
} from '../../src/entries/training.ts';
import type { ExperimentContext } from '../experiment.ts';
import { mean } from '../results/statistics.ts';

/** A model that takes part. */
export interface Contestant {
  readonly name: string;
  readonly model: TransformerOptions;
  /** Where the weights come from that a run begins with: a directory whose model differs in attention alone. Default: new ones. */
  readonly start?: ((training: TrainingConfiguration) => string) | undefined;
}

/** What all contestants are trained and judged on. */
export interface Contest {
  readonly training: TrainingOptions;
  /** Runs of each contestant, default 1: the seeds of weights and batches follow that of `training`. */
  readonly numRuns?: number | undefined;
  /** The batches of a run, which its seed orders. */
  readonly data: (training: TrainingConfiguration) => TrainingData;
  /** Identifies data and objective: runs on others do not resume. */
  readonly fingerprint: string;
  /** Evaluated along the way: the curve. */
  readonly validation: HeldOutData;
  /** Evaluated at the end, by name. */
  readonly tests: Readonly<Record<string, HeldOutData>>;
}

const score = z.strictObject({ loss: z.number(), accuracy: z.number() });
const scores = z.record(z.string(), score);
const outcome = z.strictObject({
  name: z.string(),
  numParameters: z.int(),
  /** Validation by number of updates. */
  curve: z.array(score.extend({ step: z.int() })),
  /** After the last update. */
  tests: scores,
  /** The tests of each run, where there were several: everything else is the mean over them. */
  runs: z.array(scores).optional(),
  /** Figures of training, in tokens that are predicted; medians, as other work on the machine delays some updates. */
  tokensPerSecond: z.number(),
  stepsPerSecond: z.number(),
  /** Why training ended early; the curve is what came before. */
  failure: z.string().optional(),
});

/** What a contestant reached. */
export type ContestOutcome = z.output<typeof outcome>;

/**
 * Trains every contestant on the same batches, all of a run before the next run. Each run of a contestant has a
 * directory in `context.directory`, named by what determines its result. Finished runs are read from there, and an
 * interrupted run continues from its last checkpoint. A loss that is not finite ends a run, not the contest.
 */
export async function holdContest(
  contestants: readonly Contestant[],
  contest: Contest,
  context: ExperimentContext,
): Promise<ContestOutcome[]> {
  const { numRuns = 1 } = contest;
  const training = parseTrainingConfiguration(contest.training);
  const outcomes = contestants.map((): ContestOutcome[] => []);
  for (let run = 0; run < numRuns; run++) {
    for (const [index, contestant] of contestants.entries()) {
      const finished = run * contestants.length + index;
      const name = numRuns > 1 ? `${contestant.name}, run ${run + 1} of ${numRuns}` : contestant.name;
      const progress = (done: number, what: string) =>
        context.progress((finished + done) / (numRuns * contestants.length), `${name}, ${what}`);
      const seeded = { ...training, seed: training.seed + run };
      outcomes[index]?.push(await take(contestant, seeded, contest, { ...context, progress }));
    }
  }
  return outcomes.map((runs) => (runs.length > 1 ? meanOutcome(runs) : (runs[0] as ContestOutcome)));
}

/** Where a run of a contestant trains: named by what determines its result. */
export function contestantDirectory(
  { name, model, start }: Contestant,
  training: TrainingConfiguration,
  { fingerprint }: Contest,
  { directory }: Pick<ExperimentContext, 'directory'>,
): string {
  const begun = start ? [basename(start(training))] : [];
  const identity = JSON.stringify([model, { ...training, checkpointEvery: 0 }, fingerprint, ...begun]);
  const slug = name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return join(directory, `${slug}-${createHash('sha256').update(identity).digest('hex').slice(0, 12)}`);
}

async function take(
  contestant: Contestant,
  training: TrainingConfiguration,
  contest: Contest,
  context: ExperimentContext,
): Promise<ContestOutcome> {
  const directory = contestantDirectory(contestant, training, contest, context);
  const path = join(directory, 'outcome.json');
  const stored = await readFile(path, 'utf8').catch(() => undefined);
  if (stored !== undefined) return outcome.parse(JSON.parse(stored));
  const reached = await trainAndEvaluate(contestant, training, contest, directory, context);
  await writeFile(path, `${JSON.stringify(reached, null, 2)}\n`);
  return reached;
}

/** The mean of the runs; that of those which failed says so, and has no tests. */
function meanOutcome(runs: readonly ContestOutcome[]): ContestOutcome {
  const [first] = runs as [ContestOutcome];
  const failed = runs.filter(({ failure }) => failure !== undefined);
  const meanOf = (of: (run: ContestOutcome) => { loss: number; accuracy: number }) => {
    const all = runs.map(of);
    return { loss: mean(all.map(({ loss }) => loss)), accuracy: mean(all.map(({ accuracy }) => accuracy)) };
  };
  const numPoints = Math.min(...runs.map(({ curve }) => curve.length));
  type Scores = ContestOutcome['tests'];
  return {
    name: first.name,
    numParameters: first.numParameters,
    curve: first.curve.slice(0, numPoints).map(({ step }, i) => ({
      step,
      ...meanOf(({ curve }) => curve[i] as ContestOutcome['curve'][number]),
    })),
    tests:
      failed.length > 0
        ? {}
        : Object.fromEntries(
            Object.keys(first.tests).map((test) => [test, meanOf(({ tests }) => tests[test] as Scores[string])]),
          ),
    runs: runs.map(({ tests }) => tests),
    tokensPerSecond: median(runs.map(({ tokensPerSecond }) => tokensPerSecond)),
    stepsPerSecond: median(runs.map(({ stepsPerSecond }) => stepsPerSecond)),
    ...(failed.length > 0 ? { failure: `${failed.length} of ${runs.length} runs: ${failed[0]?.failure}` } : {}),
  };
}

async function trainAndEvaluate(
  contestant: Contestant,
  training: TrainingConfiguration,
  { data, fingerprint, validation, tests }: Contest,
  directory: string,
  { backend, signal, progress }: ExperimentContext,
): Promise<ContestOutcome> {
  const { model, resume } = await begin(backend, contestant, training, directory);
  const seconds: number[] = [];
  const tokens: number[] = [];
  let failure: string | undefined;
  try {
    const events = train({
      out: directory,
      model,
      data: data(training),
      dataFingerprint: fingerprint,
      heldOut: validation,
      configuration: training,
      resume,
      signal,
    });
    try {
      for await (const event of events) {
        if (event.kind !== 'step') continue;
        seconds.push(event.seconds);
        tokens.push(event.tokens);
        progress(event.step / training.steps, `loss ${event.loss.toFixed(3)}`);
      }
    } catch (error) {
      if (!/^The (loss|gradient) is /.test((error as Error).message)) throw error;
      failure = (error as Error).message;
    }
    signal.throwIfAborted();
    const scores: Record<string, { loss: number; accuracy: number }> = {};
    for (const [test, heldOut] of Object.entries(failure === undefined ? tests : {})) {
      progress(1, `evaluating, ${test}`);
      scores[test] = scoreOf(await evaluate(model, heldOut.batches(), { loss: objectiveLoss(training.objective) }));
      signal.throwIfAborted();
    }
    return {
      name: contestant.name,
      numParameters: model.numParameters,
      curve: await readCurve(join(directory, 'metrics.jsonl')),
      tests: scores,
      tokensPerSecond: median(tokens) / median(seconds),
      stepsPerSecond: 1 / median(seconds),
      ...(failure === undefined ? {} : { failure }),
    };
  } finally {
    model.dispose();
  }
}

/** NaN-free also where there was no update. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.max(sorted[sorted.length >> 1] ?? 0, 1e-9);
}

const scoreOf = ({ loss, accuracy }: Evaluation) => ({ loss, accuracy });

/** A model as it starts, or that of the newest checkpoint with what its run needs. */
async function begin(
  backend: Backend,
  { model: options, start }: Contestant,
  training: TrainingConfiguration,
  directory: string,
) {
  const newest = await findCheckpoint(directory).catch(() => undefined);
  if (newest !== undefined) {
    const checkpoint = await loadCheckpoint(newest);
    return { model: restoreModel(backend, checkpoint, newest), resume: { checkpoint, directory: newest } };
  }
  if (start === undefined) return { model: new Transformer(backend, options, training.seed), resume: undefined };
  const { model } = await loadTransformer(backend, start(training));
  model.replaceAttention({ attention: options.attention }, training.seed);
  return { model, resume: undefined };
}

async function readCurve(path: string): Promise<ContestOutcome['curve']> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line.includes('"heldOutLoss"'))
    .map((line) => {
      const { step, heldOutLoss, heldOutAccuracy } = JSON.parse(line) as Record<string, number>;
      return { step, loss: heldOutLoss, accuracy: heldOutAccuracy } as ContestOutcome['curve'][number];
    });
}
