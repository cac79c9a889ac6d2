import type { AttentionGradients, FavorFeatures } from '../../backend/types.ts';
import { Tensor } from '../tensor.ts';
import {
  type AttentionInputs,
  attentionShape,
  attentionSizes,
  attentionStorages,
  recordAttention,
  resultFor,
} from './attention-shapes.ts';

/** An estimator `exp(W x̂ + b − ‖x̂‖²/2)` of the softmax kernel, `x̂ = x·dHead^(−1/4)`. */
export interface FeatureTensors {
  /** W `[numFeatures, dHead]`. */
  readonly projection: Tensor;
  /** b `[numFeatures]`, nats. */
  readonly bias?: Tensor | undefined;
}

/** What the kernels take of the features. @throws when the projection does not fit dHead. */
export function featureStorages({ projection, bias }: FeatureTensors, dHead: number): FavorFeatures {
  const [numFeatures, width] = projection.shape;
  if (width !== dHead) throw new Error(`favor: the projection is for dHead ${width}; the queries have ${dHead}.`);
  return { numFeatures, projection: projection.storage, bias: bias?.storage };
}

/**
 * Bidirectional FAVOR+ attention (paper section 2; log space as in docs/favor.md): `φ(Q)(φ(K)ᵀV)`, normalised.
 * O((lengthQ + lengthK)·numFeatures·(dHead + dValue)) time; extra memory of one state per run and head.
 *
 * @returns shaped like the queries, with dValue for dHead; zeros for a query that sees no valid key
 */
export function favor(inputs: AttentionInputs, features: FeatureTensors): Tensor {
  const { queries, layout, runs } = inputs;
  const { backend } = queries;
  const sizes = attentionSizes(inputs);
  const { batch, heads, lengthQ, dHead, dValue, numRuns } = sizes;
  const estimator = featureStorages(features, dHead);
  const { numFeatures } = estimator;
  const out = resultFor(runs, queries, attentionShape(layout, batch, heads, lengthQ, dValue));
  const denominator = Tensor.empty(backend, [batch, heads, lengthQ]);
  const sums = Tensor.empty(backend, [numRuns, heads, numFeatures, dValue + 1]);
  const compensation = Tensor.empty(backend, sums.shape);
  const scales = Tensor.empty(backend, [numRuns, heads, numFeatures]);
  const shared = {
    ...sizes,
    ...attentionStorages(inputs),
    ...estimator,
    sums: sums.storage,
    compensation: compensation.storage,
    scales: scales.storage,
  };
  backend.favor({ ...shared, out: out.storage, denominator: denominator.storage });
  const backward = (gradients: AttentionGradients) =>
    backend.favorBackward({ ...shared, ...gradients, denominator: denominator.storage });
  return recordAttention(inputs, out, backward, [denominator, sums, compensation, scales]);
}
