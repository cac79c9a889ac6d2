import { z } from 'zod';
import { attentionContestant, contestTraining, modelSizes } from '../contests/language-contest.ts';

const count = z.int().min(1);

export const fig7Schema = z.strictObject({
  /** Folder of PNG and JPEG images. Default: those of emoji-datasource-twitter. */
  data: z.string().optional(),
  /** Images are scaled to size × size; length is 3·size². */
  size: count,
  /** Images that are held out, drawn by the training's seed. */
  heldOut: count,
  model: modelSizes.omit({ numLayers: true }),
  training: contestTraining.omit({ length: true }),
  contestants: z.array(attentionContestant.extend({ numLayers: count, reversible: z.boolean().default(false) })).min(1),
});

export type Fig7Configuration = z.output<typeof fig7Schema>;
