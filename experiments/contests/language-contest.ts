import { z } from 'zod';
import type { TransformerOptions } from '../../src/entries/performers.ts';

const count = z.int().min(1);

/** Sizes of every Transformer that is trained. */
export const layerSizes = { dModel: count, numLayers: count, numHeads: count, dFeedForward: count };

/** Sizes of a model whose attention is what contestants differ in. */
export const modelSizes = z.strictObject({
  ...layerSizes,
  positions: z.enum(['learned', 'sinusoidal', 'rotary', 'none']),
  dropout: z.number().min(0).lt(1),
});

/** How each contestant is trained. */
export const contestTraining = z.strictObject({
  steps: count,
  batchSize: count,
  length: count,
  learningRate: z.number().positive(),
  warmupSteps: z.int().min(0),
  /** Updates between points of the curve. */
  evaluateEvery: count,
  /** Batches of each such evaluation. */
  evaluationBatches: count,
  /** Batches of each test at the end. */
  testBatches: count,
  /** Of the first run; those of further runs follow. */
  seed: z.int().min(0),
  /** Runs of each contestant. Default: 1. */
  numRuns: count.optional(),
});

const share = z.number().gt(0).lt(1);

/** A contest of models of proteins. */
export const proteinContest = {
  /** FASTA file, plain or compressed. */
  data: z.string(),
  /** Held out: whole organisms, and of the others single records. */
  split: z.strictObject({ organisms: share, records: share, seed: z.int().min(0) }),
  model: modelSizes,
  training: contestTraining,
};

/** A name and the `attention` of a model's config.json, which the model validates. */
export const attentionContestant = z.strictObject({
  name: z.string(),
  attention: z.looseObject({ type: z.string() }),
});

export type ContestTraining = z.output<typeof contestTraining>;
export type AttentionContestant = z.output<typeof attentionContestant>;

/** Keys of the training configuration that all contests have in common: warm-up, then decay by a cosine. */
export function trainingOptions({
  steps,
  batchSize,
  length,
  learningRate,
  warmupSteps,
  evaluateEvery,
  seed,
}: ContestTraining) {
  const schedule = { kind: 'cosine', finalFraction: 0.1 } as const;
  return {
    ...{ steps, batchSize, length, learningRate, warmupSteps, evaluateEvery, seed, schedule },
    checkpointEvery: evaluateEvery,
    keepCheckpoints: 1,
  };
}

/** A model of these sizes with the contestant's attention. */
export function modelOf(
  { attention }: Pick<AttentionContestant, 'attention'>,
  sizes: z.output<typeof modelSizes>,
  rest: Pick<TransformerOptions, 'vocabSize' | 'maxLength' | 'causal'>,
): TransformerOptions {
  return { ...sizes, ...rest, attention: attention as TransformerOptions['attention'] };
}
