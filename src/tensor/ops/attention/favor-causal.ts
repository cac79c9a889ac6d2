import { snapshotsLength } from '../../../backend/projection-sizes.ts';
import type { AttentionGradients, FavorStateArrays } from '../../../backend/types.ts';
import { ShapeError } from '../../../base/errors.ts';
import { isTracked } from '../../tape.ts';
import { Tensor } from '../../tensor.ts';
import { type FavorOptions, type FeatureTensors, featureStorages, resultOf } from './favor.ts';
import {
  type AttentionInputs,
  attentionShape,
  attentionSizes,
  attentionStorages,
  recordAttention,
  resultFor,
} from './shapes.ts';

/**
 * Causal FAVOR+ attention in chunks: query i sees keys j ≤ i + offset of its sequence, and no later token changes an earlier
 * output. O((lengthQ + lengthK)·numFeatures·(dHead + dValue)) time. Extra memory is independent of the length, except
 * for one state per 2,048 positions where gradients are recorded.
 *
 * @param options.state where the sequences start from; updated in place to the state after their last key. Not differentiable.
 * @returns shaped like the queries, with dValue for dHead; zeros for a query that sees no valid key
 */
export function favorCausal(
  inputs: AttentionInputs,
  features: FeatureTensors,
  { state, ...options }: FavorOptions & { readonly state?: FavorStateArrays } = {},
): Tensor {
  const { queries, keys, values, layout, sequences } = inputs;
  const { backend } = queries;
  const sizes = attentionSizes(inputs);
  const { batch, heads, lengthQ, dHead, dValue } = sizes;
  const tracked = isTracked(queries, keys, values);
  if (state && tracked) {
    throw new ShapeError(
      'favorCausal: gradients through a given state are not supported; leave the state out to train.',
    );
  }
  const out = resultFor(sequences, queries, attentionShape(layout, batch, heads, lengthQ, dValue));
  const denominator = Tensor.empty(backend, [batch, heads, lengthQ]);
  const shared = {
    ...sizes,
    ...attentionStorages(inputs),
    ...featureStorages(features, dHead),
    ...resultOf(features, options),
  };
  const snapshots = tracked ? [Tensor.empty(backend, [snapshotsLength(sizes, features.numFeatures)])] : [];
  backend.favorCausal({
    ...shared,
    out: out.storage,
    denominator: denominator.storage,
    snapshots: snapshots[0]?.storage,
    ...state,
    updateState: state !== undefined,
  });
  const backward = (gradients: AttentionGradients) =>
    backend.favorCausalBackward({
      ...shared,
      ...gradients,
      denominator: denominator.storage,
      snapshots: snapshots[0].storage,
    });
  return recordAttention(inputs, out, backward, [denominator, ...snapshots]);
}
