import { z } from 'zod';

const count = z.int().min(2);

export const fig2Schema = z.strictObject({
  dHead: count,
  /** m: directions ω of each estimate, a multiple of dHead; trigonometric features are twice as many. */
  numDirections: count,
  /** Estimates from which each mean squared error is measured. */
  draws: count,
  /** Cells of the heat map in a quarter of the plane. */
  gridAngles: count,
  gridLengths: count,
  maxLength: z.number().positive(),
  /** The slice. */
  sliceLength: z.number().positive(),
  sliceAngles: count,
  /** Points whose measured error would have a larger relative standard error than this are left out. */
  maxRelativeError: z.number().positive(),
  seed: z.int().min(0),
});

export type Fig2Configuration = z.output<typeof fig2Schema>;
