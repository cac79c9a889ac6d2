import type { Random } from '../tensor/random.ts';
import { gaussianProjection } from './projections/gaussian.ts';
import { orthogonalProjection } from './projections/orthogonal.ts';

/** Kinds of random projection. */
export const projectionKinds = ['orthogonal', 'gaussian'] as const;
export type ProjectionKind = (typeof projectionKinds)[number];

const projections: Record<ProjectionKind, (numFeatures: number, dHead: number, random: Random) => Float64Array> = {
  orthogonal: orthogonalProjection,
  gaussian: gaussianProjection,
};

/** Kind and sizes of a projection. */
export interface ProjectionOptions {
  readonly kind: ProjectionKind;
  readonly numFeatures: number;
  readonly dHead: number;
}

/**
 * Draws W `[numFeatures, dHead]` from `random` alone: the same on every backend, and independent of the data.
 *
 * @throws when numFeatures or dHead is not a positive integer.
 */
export function drawProjection({ kind, numFeatures, dHead }: ProjectionOptions, random: Random): Float64Array {
  for (const [name, value] of Object.entries({ numFeatures, dHead })) {
    if (!Number.isInteger(value) || value < 1) throw new Error(`${name} must be a positive integer; got ${value}.`);
  }
  return projections[kind](numFeatures, dHead, random);
}
