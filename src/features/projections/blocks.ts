import type { Random } from '../../base/random.ts';
import { normalLength } from './haar.ts';
import { denseProjection, type Projection, type ProjectionSizes } from './projection.ts';

/**
 * A matrix in independent blocks of dHead rows, the last one cut when `directions` is no multiple of dHead.
 *
 * @param drawBlock the first `rows` unit vectors of a block
 */
export function denseBlocks(
  { directions, dHead, norms }: ProjectionSizes,
  random: Random,
  drawBlock: (rows: number, dHead: number, random: Random) => readonly Float64Array[],
): Projection {
  const values = new Float64Array(directions * dHead);
  for (let start = 0; start < directions; start += dHead) {
    const rows = Math.min(dHead, directions - start);
    const block = drawBlock(rows, dHead, random);
    for (let r = 0; r < rows; r++) {
      const length = norms === 'gaussian' ? normalLength(dHead, random) : Math.sqrt(dHead);
      for (let i = 0; i < dHead; i++) values[(start + r) * dHead + i] = length * block[r][i];
    }
  }
  return denseProjection(values, dHead);
}
