import { projectionLength } from '../../../backend/projection-sizes.ts';
import type {
  AttentionGradients,
  Estimator,
  FavorFeatures,
  FavorResult,
  FavorStateArrays,
} from '../../../backend/types.ts';
import { ShapeError } from '../../../base/errors.ts';
import { scope } from '../../scope.ts';
import { Tensor } from '../../tensor.ts';
import {
  type AttentionInputs,
  attentionShape,
  attentionSizes,
  attentionStorages,
  recordAttention,
  resultFor,
} from './shapes.ts';

/** Random features on a backend: an estimator of a kernel, over `x̂ = x·dHead^(−1/4)`. */
export interface FeatureTensors extends Estimator {
  readonly dHead: number;
  /** By `form`, as in `kernels/description.mjs`: `[numFeatures, dHead]` if dense. */
  readonly projection: Tensor;
  /** b `[numFeatures]`. */
  readonly bias?: Tensor | undefined;
  /** `K(x, y) ≈ weight·Σ_r φ_r(x) φ_r(y)`. */
  readonly weight: number;
  readonly stabiliser: number;
}

/** How an op of FAVOR+ forms its result. */
export interface FavorOptions {
  /** Divide every row by its sum over the keys. Default true. */
  readonly normalised?: boolean | undefined;
}

/** What the kernels take of the features. @throws ShapeError when the projection does not fit dHead. */
export function featureStorages(features: FeatureTensors, dHead: number): FavorFeatures {
  const { numFeatures, map, epsilon, form, factors, directions, projection, bias } = features;
  if (features.dHead !== dHead) {
    throw new ShapeError(`favor: the features are for dHead ${features.dHead}; the queries have ${dHead}.`);
  }
  if (projection.size !== projectionLength(features, dHead)) {
    throw new ShapeError(
      `favor: a projection of ${projection.size} numbers does not fit ${numFeatures} ${form} features.`,
    );
  }
  const estimator = { numFeatures, map, epsilon, form, factors, directions };
  return { ...estimator, projection: projection.storage, bias: bias?.storage };
}

/** How the kernels form rows with these features. */
export function resultOf(
  { weight, stabiliser }: FeatureTensors,
  { normalised = true }: FavorOptions = {},
): FavorResult {
  return { weight: normalised ? 0 : weight, stabiliser };
}

/**
 * Bidirectional FAVOR+ attention (paper section 2; log space as in docs/favor.md): `φ(Q)(φ(K)ᵀV)`, normalised.
 * O((lengthQ + lengthK)·numFeatures·(dHead + dValue)) time; extra memory of one state per sequence and head.
 *
 * @returns shaped like the queries, with dValue for dHead; zeros for a query that sees no valid key
 */
export function favor(inputs: AttentionInputs, features: FeatureTensors, options?: FavorOptions): Tensor {
  const { queries, layout, sequences } = inputs;
  const { backend } = queries;
  const sizes = attentionSizes(inputs);
  const { batch, heads, lengthQ, dHead, dValue, numSequences } = sizes;
  const estimator = featureStorages(features, dHead);
  const { numFeatures } = estimator;
  const out = resultFor(sequences, queries, attentionShape(layout, batch, heads, lengthQ, dValue));
  const denominator = Tensor.empty(backend, [batch, heads, lengthQ]);
  const sums = Tensor.empty(backend, [numSequences, heads, numFeatures, dValue + 1]);
  const compensation = Tensor.empty(backend, sums.shape);
  const scales = Tensor.empty(backend, [numSequences, heads, numFeatures]);
  const shared = {
    ...sizes,
    ...attentionStorages(inputs),
    ...estimator,
    ...resultOf(features, options),
    sums: sums.storage,
    compensation: compensation.storage,
    scales: scales.storage,
  };
  backend.favor({ ...shared, out: out.storage, denominator: denominator.storage });
  const backward = (gradients: AttentionGradients) =>
    backend.favorBackward({ ...shared, ...gradients, denominator: denominator.storage });
  return recordAttention(inputs, out, backward, [denominator, sums, compensation, scales]);
}

/**
 * Fills `state`, one for each (sequence, head), with what FAVOR+ keeps of the keys and values of each sequence. Not differentiable.
 * O(lengthK·numFeatures·(dHead + dValue)).
 */
export function favorState(
  inputs: Omit<AttentionInputs, 'queries'>,
  features: FeatureTensors,
  state: FavorStateArrays,
): void {
  scope(() => {
    const { keys, layout } = inputs;
    const { backend } = keys;
    const [batch, , , dHead] = keys.shape;
    const heads = keys.shape[layout === 'bhld' ? 1 : 2];
    const all = { ...inputs, queries: Tensor.empty(backend, attentionShape(layout, batch, heads, 0, dHead)) };
    const none = Tensor.empty(backend, [0]).storage;
    const estimator = featureStorages(features, dHead);
    const result = resultOf(features);
    const arrays = { ...attentionSizes(all), ...attentionStorages(all), ...estimator, ...result, ...state };
    backend.favor({ ...arrays, out: none, denominator: none });
  });
}
