import type { Projection } from './projection.ts';

/** No projection: the features are functions of the dHead coordinates themselves (the authors' code for ReLU). */
export function noProjection(dHead: number): Projection {
  const lengths = new Float64Array(dHead).fill(1);
  return { form: 'givens', dHead, directions: dHead, factors: 0, values: new Float64Array(0), lengths };
}
