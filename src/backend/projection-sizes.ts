import { checkArguments, option } from '../base/options.ts';
import {
  type AttentionSizes,
  type Estimator,
  type FavorResult,
  type ProjectionForm,
  SNAPSHOT_KEYS,
} from './kernels.ts';

/** Rows of a block of directions: Hadamard blocks are as wide as the least power of two that holds dHead. */
export function blockSize(form: ProjectionForm, dHead: number): number {
  return form === 'hadamard' ? 2 ** Math.ceil(Math.log2(dHead)) : dHead;
}

/** Number of elements of an estimator's `projection`. */
export function projectionLength(
  estimator: Pick<Estimator, 'numFeatures' | 'form' | 'factors' | 'directions'>,
  dHead: number,
): number {
  const { numFeatures, form, factors, directions } = estimator;
  if (form === 'dense') return numFeatures * dHead;
  const size = blockSize(form, dHead);
  const factorLength = form === 'hadamard' ? size : 4;
  return Math.ceil(directions / size) * factors * factorLength + numFeatures;
}

const attentionSizesKind = option.having('the sizes of an attention', {
  numSequences: option.natural,
  heads: option.natural,
  lengthQ: option.natural,
  lengthK: option.natural,
  dValue: option.natural,
});

/** Number of elements of the snapshots that causal FAVOR+ leaves for its gradients. */
export function snapshotsLength(sizes: AttentionSizes, numFeatures: number): number {
  checkArguments('snapshotsLength', { sizes, numFeatures }, { sizes: attentionSizesKind, numFeatures: option.natural });
  const { numSequences, heads, lengthQ, lengthK, dValue } = sizes;
  return numSequences * heads * Math.floor((lengthQ + lengthK) / SNAPSHOT_KEYS) * numFeatures * (dValue + 2);
}

/** Number of elements of the snapshots that `farField` leaves for its gradients. */
export function farSnapshotsLength(sizes: AttentionSizes, numFeatures: number, block: number): number {
  checkArguments(
    'farSnapshotsLength',
    { sizes, numFeatures, block },
    { sizes: attentionSizesKind, numFeatures: option.natural, block: option.count },
  );
  const { numSequences, heads, lengthQ, lengthK, dValue } = sizes;
  const snapshotLength = block * Math.max(1, Math.floor(SNAPSHOT_KEYS / block));
  return numSequences * heads * (Math.floor((lengthQ + lengthK) / snapshotLength) + 4) * numFeatures * (dValue + 2);
}

/** A dense projection under exp(W x̂ + b − ‖x̂‖²/2). */
export function exponentialEstimator(numFeatures: number): Estimator {
  checkArguments('exponentialEstimator', { numFeatures }, { numFeatures: option.natural });
  return { numFeatures, map: 'exponential', epsilon: 0, form: 'dense', factors: 0, directions: numFeatures };
}

/** Rows divided by their sums, as positive features allow. */
export const dividedRows: FavorResult = { weight: 0, stabiliser: 0 };
