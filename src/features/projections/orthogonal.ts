import type { Random } from '../../base/random.ts';
import { denseBlocks } from './blocks.ts';
import { haarRows } from './haar.ts';
import type { Projection, ProjectionSizes } from './projection.ts';

/**
 * Orthogonal random features (paper section 2.4): blocks of dHead rows, exactly orthogonal inside a block. Blocks are
 * independent, every direction is uniform on the sphere, and every row is as long as a Gaussian vector (χ with dHead
 * degrees of freedom). The last block is cut when `directions` is no multiple of dHead. O(directions·dHead²).
 */
export function orthogonalProjection(sizes: ProjectionSizes, random: Random): Projection {
  return denseBlocks(sizes, random, haarRows);
}
