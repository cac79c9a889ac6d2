import type { Random } from '../../base/random.ts';
import { haarRows, normalVector } from './haar.ts';
import { denseProjection, type Projection, type ProjectionSizes } from './projection.ts';

/**
 * Independent rows (paper section 2.3, "iid"): standard normal entries, or uniform on the sphere of radius √dHead.
 * O(directions·dHead).
 */
export function gaussianProjection({ directions, dHead, norms }: ProjectionSizes, random: Random): Projection {
  if (norms === 'gaussian') return denseProjection(normalVector(directions * dHead, random), dHead);
  const values = Array.from({ length: directions }, () => haarRows(1, dHead, random)[0]).flatMap((direction) =>
    Array.from(direction, (value) => Math.sqrt(dHead) * value),
  );
  return denseProjection(Float64Array.from(values), dHead);
}
