import { z } from 'zod';
import { trainedModelSchema } from '../contests/trained-model.ts';

const count = z.int().min(1);

export const fig14Schema = z.strictObject({
  /** m of each line: positive orthogonal features. */
  numFeatures: z.array(count).min(1),
  /** Draws of text and features together. */
  draws: z.int().min(2),
  /** The model as it starts, deeper than the trained one; its other sizes are those of the trained one. */
  random: z.strictObject({ numLayers: count, seed: z.int().min(0) }),
  trained: trainedModelSchema,
  seed: z.int().min(0),
});

export type Fig14Configuration = z.output<typeof fig14Schema>;
