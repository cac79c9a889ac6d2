import type { Random } from '../../base/random.ts';
import { denseBlocks } from './blocks.ts';
import { haarRows } from './haar.ts';
import type { Projection, ProjectionSizes } from './projection.ts';

/**
 * Simplex random features (SimRF, Reid et al. 2023, after the paper). In each block of dHead rows the directions are
 * the corners of a randomly rotated regular simplex, `ω̂_iᵀω̂_j = −1/(dHead − 1)`. No dHead directions can be farther
 * apart. Every direction is uniform on the sphere, lengths as a Gaussian vector's. O(directions·dHead²).
 *
 * With the rows b_i of a Haar matrix, the corners are those of `(b_i − mean b)·√(dHead/(dHead − 1))`.
 */
export function simplexProjection(sizes: ProjectionSizes, random: Random): Projection {
  return denseBlocks(sizes, random, simplexRows);
}

function simplexRows(rows: number, dHead: number, random: Random): Float64Array[] {
  const basis = haarRows(dHead, dHead, random);
  // One direction alone has no simplex to be a corner of.
  if (dHead === 1) return basis;
  const centre = new Float64Array(dHead);
  for (const row of basis) for (let i = 0; i < dHead; i++) centre[i] += row[i] / dHead;
  const stretch = Math.sqrt(dHead / (dHead - 1));
  return basis.slice(0, rows).map((row) => row.map((value, i) => stretch * (value - centre[i])));
}
