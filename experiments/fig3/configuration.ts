import { z } from 'zod';

const count = z.int().min(1);

export const fig3Schema = z.strictObject({
  /** Each with the lengths 2^k from minLength to maxLength. */
  models: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        numHeads: count,
        numLayers: count,
        dFeedForward: count,
        dModel: count,
        maxLength: count,
      }),
    )
    .min(1),
  minLength: count,
  vocabSize: count,
  /** m of the Performer. */
  numFeatures: count,
  /** Rounds of hashing of LSH attention, and positions of a chunk. */
  numHashes: count,
  chunkLength: count,
  /** k of Linformer, whose projections are trained and as long as the sequence. */
  projectedLength: count,
  /** Position i sees only positions j ≤ i. Linformer cannot: it is then left out. */
  causal: z.boolean(),
  /** Passes whose median is taken, at most. */
  rounds: count,
  /** No further round begins after so many seconds; a first pass that takes longer is not repeated. */
  secondsPerPoint: z.number().positive(),
  /** A pass that is predicted to take more seconds is not run. */
  timeLimit: z.number().positive(),
  /**
   * A pass that is predicted to need more GiB is not run, nor one that needs more than nine tenths of the free memory.
   */
  memoryLimit: z.number().positive(),
  seed: z.int().min(0),
});

export type Fig3Configuration = z.output<typeof fig3Schema>;
export type ModelSizes = Fig3Configuration['models'][number];
