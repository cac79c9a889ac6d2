import type { AttentionGradients, FavorStateArrays } from '../../backend/types.ts';
import { isTracked } from '../tape.ts';
import { Tensor } from '../tensor.ts';
import {
  type AttentionInputs,
  attentionShape,
  attentionSizes,
  attentionStorages,
  recordAttention,
  resultFor,
} from './attention-shapes.ts';
import { type FeatureTensors, featureStorages } from './favor.ts';

/**
 * Causal FAVOR+ attention in chunks: query i sees keys j ≤ i of its run, and no later token changes an earlier output.
 * O(length·numFeatures·(dHead + dValue)) time; extra memory independent of the length.
 *
 * @param state where the runs start from; updated in place to the state after their last key. Not differentiable.
 * @returns shaped like the queries, with dValue for dHead; zeros for a query that sees no valid key
 */
export function favorCausal(inputs: AttentionInputs, features: FeatureTensors, state?: FavorStateArrays): Tensor {
  const { queries, keys, values, layout, runs } = inputs;
  const { backend } = queries;
  const sizes = attentionSizes(inputs);
  const { batch, heads, lengthQ, lengthK, dHead, dValue } = sizes;
  if (lengthQ !== lengthK) {
    throw new Error(`favorCausal: queries and keys must have one length; got ${lengthQ} and ${lengthK}.`);
  }
  if (state && isTracked(queries, keys, values)) {
    throw new Error('favorCausal: gradients through a given state are not supported; leave the state out to train.');
  }
  const out = resultFor(runs, queries, attentionShape(layout, batch, heads, lengthQ, dValue));
  const denominator = Tensor.empty(backend, [batch, heads, lengthQ]);
  const shared = { ...sizes, ...attentionStorages(inputs), ...featureStorages(features, dHead) };
  backend.favorCausal({
    ...shared,
    out: out.storage,
    denominator: denominator.storage,
    state,
    updateState: state !== undefined,
  });
  const backward = (gradients: AttentionGradients) =>
    backend.favorCausalBackward({ ...shared, ...gradients, denominator: denominator.storage });
  return recordAttention(inputs, out, backward, [denominator]);
}
