/** Projections for the FAVOR+ cases: any numbers that the forms allow, rows about as long as Gaussian ones. */
import { blockSize, projectionLength } from '../../src/backend/projection-sizes.ts';
import type { Estimator } from '../../src/backend/types.ts';
import type { Random } from '../../src/base/random.ts';
import { normals } from './case.ts';

/** ± between 3/4 and 5/4. */
function signed(random: Random): number {
  const size = 0.75 + random.uniform() / 2;
  return random.uniform() < 0.5 ? -size : size;
}

/**
 * The numbers of an estimator's projection. With `repeated`, feature r + numFeatures/2 is feature r once more; otherwise
 * stacked features differ in length and sign.
 */
export function drawProjection(estimator: Estimator, dHead: number, random: Random, repeated = false): Float32Array {
  const { numFeatures, form, factors, directions } = estimator;
  const half = numFeatures / 2;
  if (form === 'dense') {
    const projection = normals(random, numFeatures * dHead);
    if (repeated) projection.copyWithin(half * dHead, 0, half * dHead);
    return projection;
  }
  const projection = new Float32Array(projectionLength(estimator, dHead));
  const size = blockSize(form, dHead);
  const numFactors = Math.ceil(directions / size) * factors;
  if (form === 'hadamard') {
    for (let at = 0; at < numFactors * size; at++) projection[at] = signed(random);
  } else {
    for (let at = 0; at < numFactors; at++) {
      const i = random.integer(dHead);
      const j = (i + 1 + random.integer(dHead - 1)) % dHead;
      const angle = 2 * Math.PI * random.uniform();
      projection.set([i, j, Math.cos(angle), Math.sin(angle)], at * 4);
    }
  }
  // a product of factors H D makes unit vectors √size longer each
  const growth = form === 'hadamard' ? size ** (factors / 2) : 1;
  const lengths = projection.subarray(projection.length - numFeatures);
  lengths.forEach((_, r) => {
    lengths[r] = factors === 0 ? 1 : (signed(random) * Math.sqrt(size)) / growth;
    if (repeated && r >= half) lengths[r] = lengths[r - half];
  });
  return projection;
}
