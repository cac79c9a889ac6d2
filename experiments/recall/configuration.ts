import { z } from 'zod';
import { attentionContestant, modelSizes } from '../contests/language-contest.ts';

const count = z.int().min(1);

/** Every pair is asked once, in two positions. */
const hasRoom = ({ pairs, length }: { pairs: number; length: number }) => length >= 4 * pairs;

const size = z
  .strictObject({ pairs: count, length: count })
  .refine(hasRoom, 'a sequence needs a length of four times its pairs');

const stage = z.strictObject({
  /** Updates take turns among them. */
  sizes: z.array(size).min(1),
  steps: count,
  /** Tokens of an update. */
  tokens: count,
  learningRate: z.number().positive(),
  warmupSteps: z.int().min(0),
});

export const recallSchema = z
  .strictObject({
    /** Tokens that serve as keys and as values. */
    alphabet: z.strictObject({ keys: count, values: count }),
    model: modelSizes,
    /** Exact attention learns to recall in short sequences: where every contestant starts. */
    start: stage,
    training: stage.extend({ evaluateEvery: count }),
    contestants: z.array(attentionContestant).min(1),
    /** The trained model with exact attention, its attention replaced without training. */
    plugIn: z.strictObject({
      size,
      /** Smallest distance of the only question from the pairs. */
      distance: count,
      sequences: count,
      /** Draws of the features for each run. */
      draws: count,
      attentions: z.array(attentionContestant).min(1),
    }),
    /** Tokens of each test. */
    testTokens: count,
    testSeed: z.int().min(0),
    /** Of weights, features and training sequences of the first run; those of further runs follow. */
    seed: z.int().min(0),
    numRuns: count,
  })
  .refine(({ contestants }) => contestants.some(({ attention }) => attention.type === 'exact'), {
    path: ['contestants'],
    error: 'a contestant needs exact attention, in whose place others are plugged',
  })
  .refine(({ seed, numRuns, testSeed }) => testSeed < seed || testSeed >= seed + numRuns, {
    path: ['testSeed'],
    error: 'test sequences need a seed of their own',
  });

export type RecallConfiguration = z.output<typeof recallSchema>;
