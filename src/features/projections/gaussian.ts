import type { Random } from '../../tensor/random.ts';

/** Independent standard normal entries, `[numFeatures, dHead]` (paper section 2.3, "iid"). */
export function gaussianProjection(numFeatures: number, dHead: number, random: Random): Float64Array {
  return Float64Array.from({ length: numFeatures * dHead }, () => random.normal());
}
