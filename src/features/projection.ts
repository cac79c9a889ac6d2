import { Random } from '../tensor/random.ts';
import { gaussianProjection } from './projections/gaussian.ts';
import { orthogonalProjection } from './projections/orthogonal.ts';

/** Kinds of random projection. */
export const projectionKinds = ['orthogonal', 'gaussian'] as const;
export type ProjectionKind = (typeof projectionKinds)[number];

const projections: Record<ProjectionKind, (numFeatures: number, dHead: number, random: Random) => Float64Array> = {
  orthogonal: orthogonalProjection,
  gaussian: gaussianProjection,
};

/** What determines a projection: nothing else does, least of all the data. */
export interface ProjectionDraw {
  readonly kind: ProjectionKind;
  readonly numFeatures: number;
  readonly dHead: number;
  readonly seed: number;
  /** Which of the seed's independent projections, such as one for every layer and redraw. Default 0. */
  readonly stream?: number;
}

/**
 * Draws W `[numFeatures, dHead]`: the same on every backend.
 *
 * @throws when numFeatures or dHead is not a positive integer.
 */
export function drawProjection({ kind, numFeatures, dHead, seed, stream = 0 }: ProjectionDraw): Float64Array {
  for (const [name, value] of Object.entries({ numFeatures, dHead })) {
    if (!Number.isInteger(value) || value < 1) throw new Error(`${name} must be a positive integer; got ${value}.`);
  }
  return projections[kind](numFeatures, dHead, new Random(seed, stream));
}
