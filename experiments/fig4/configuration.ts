import { z } from 'zod';
import { trainedModelSchema } from '../contests/trained-model.ts';

const count = z.int().min(1);
const sweep = {
  /** m, ascending: random directions ω; trigonometric and hyperbolic features are twice as many. */
  numDirections: z.array(count).min(1),
  /** Draws of inputs and directions together. */
  draws: z.int().min(2),
};

export const fig4Schema = z.strictObject({
  /** Normal q, k, v, one head, bidirectional. */
  gaussian: z.strictObject({
    /** Deviations of q and k, one set of lines for each. */
    deviations: z.array(z.number().positive()).min(1),
    length: count,
    dHead: count,
    ...sweep,
  }),
  /** q, k, v of every layer and head of the model below, on held-out text, causal. */
  trained: z.strictObject(sweep),
  model: trainedModelSchema,
  seed: z.int().min(0),
});

export type Fig4Configuration = z.output<typeof fig4Schema>;
