import { farSnapshotsLength } from '../../../backend/projection-sizes.ts';
import type { AttentionGradients, FavorStateArrays } from '../../../backend/types.ts';
import { ConfigurationError, ShapeError } from '../../../base/errors.ts';
import { checkShape } from '../../shape.ts';
import { isTracked, record } from '../../tape.ts';
import { Tensor } from '../../tensor.ts';
import { log, multiply, scale, subtract } from '../elementwise.ts';
import { type FeatureTensors, featureStorages } from './favor.ts';
import { type AttentionInputs, attentionShape, attentionSizes, attentionStorages, resultFor } from './shapes.ts';

export interface NearFieldOptions {
  /** Query i of a sequence sees keys j ≤ i + offset. Default false. */
  readonly causal?: boolean | undefined;
  /** Positions in a block, counted from a sequence's first key. Keys of a query's own and neighbouring blocks are near. */
  readonly block: number;
  /** The first keys of a sequence, which are near every query. Default 0. */
  readonly sinks?: number | undefined;
  /** `[heads]`: the logarithm of what the far field is multiplied by. Default: zeros. Differentiable. */
  readonly gain?: Tensor | undefined;
  /**
   * How much the near field weighs: its own kernel values, or their estimates by the features. Estimates fall short of
   * large kernel values nearly always; those of near and far keys do so alike. Default `kernel`.
   */
  readonly mass?: 'kernel' | 'features' | undefined;
}

/**
 * Exact attention to near keys and an estimate by features of the far keys, in one softmax.
 * `out_i = (Σ_near e^(q·k/√d) v + e^gain Σ_far φ(q)·φ(k) v) / (Σ_near e^(q·k/√d) + e^gain Σ_far φ(q)·φ(k))`.
 * O(length·(block·(dHead + dValue) + numFeatures·(dHead + dValue))) time; extra memory as `favorCausal`.
 *
 * @param features of a map that estimates the softmax kernel by exponentials
 * @param options.state where the far fields of causal sequences start from; updated in place. Not differentiable.
 * @returns shaped like the queries, with dValue for dHead; zeros for a query that sees no valid key
 * @throws ConfigurationError for features of another map.
 */
export function nearFieldAttention(
  inputs: AttentionInputs,
  features: FeatureTensors,
  options: NearFieldOptions & { readonly state?: FavorStateArrays | undefined },
): Tensor {
  const { queries, keys, values, layout, sequences } = inputs;
  const { backend } = queries;
  const { causal = false, block, sinks = 0, gain, state, mass = 'kernel' } = options;
  const sizes = attentionSizes(inputs);
  const { batch, heads, lengthQ, lengthK, dHead, dValue, numSequences } = sizes;
  checkSoftmaxMap(features);
  if (gain) checkShape('nearFieldAttention: gain', gain.shape, [heads]);
  const inputsOfOp = [queries, keys, values, ...(gain ? [gain] : [])];
  const tracked = isTracked(...inputsOfOp);
  if (state && (tracked || !causal)) {
    throw new ShapeError('nearFieldAttention: a given state is for causal attention without gradients; leave it out.');
  }
  const perQuery = () => Tensor.empty(backend, [batch, heads, lengthQ]);
  const isEstimated = mass === 'features';
  const saveFor = (reverse: boolean) => ({
    reverse,
    shares: perQuery(),
    kept: tracked && (reverse || isEstimated) ? perQuery() : undefined,
    snapshots: tracked ? Tensor.empty(backend, [farSnapshotsLength(sizes, features.numFeatures, block)]) : undefined,
  });
  const out = resultFor(sequences, queries, attentionShape(layout, batch, heads, lengthQ, dValue));
  const logSumExp = perQuery();
  const forwards = saveFor(false);
  const { numFeatures, form, factors, directions, projection, bias } = featureStorages(features, dHead);
  const { q, k, v, keyMask, sequences: table } = attentionStorages(inputs);
  // One object for all calls. A decoded token passes here for every layer, where spreads of so many fields would take a
  // tenth of the time.
  const call = {
    q,
    k,
    v,
    keyMask,
    sequences: table,
    numSequences,
    heads,
    lengthQ,
    lengthK,
    dHead,
    dValue,
    layout,
    numFeatures,
    form,
    factors,
    directions,
    projection,
    bias,
    sums: state?.sums,
    compensation: state?.compensation,
    scales: state?.scales,
    gain: gain?.storage,
    block,
    sinks,
    weight: features.weight,
    causal,
    scale: 1 / Math.sqrt(dHead),
    normalise: true,
    updateState: state !== undefined,
    out: out.storage,
    logSumExp: logSumExp.storage,
    shares: forwards.shares.storage,
    kept: forwards.kept?.storage,
    snapshots: forwards.snapshots?.storage,
    reverse: false,
  };
  backend.softmaxAttention(call);
  const estimated = isEstimated ? perQuery() : undefined;
  const nearOut = estimated && tracked ? copyOf(out) : undefined;
  if (estimated) backend.nearMass({ ...call, logMass: estimated.storage });
  const far = estimated ? { ...call, logSumExp: estimated.storage } : call;
  backend.farField(far);
  const sweeps = [forwards];
  if (!causal) {
    const backwards = saveFor(true);
    const { shares, kept, snapshots } = backwards;
    backend.farField({
      ...far,
      ...{ shares: shares.storage, kept: kept?.storage, snapshots: snapshots?.storage, reverse: true },
    });
    sweeps.push(backwards);
  }
  const saved = sweeps.flatMap(({ shares, kept, snapshots }) =>
    [shares, kept, snapshots].filter((tensor) => tensor !== undefined),
  );

  const adjoint = (gradient: Tensor) => {
    const gradients = [queries, keys, values].map((input) => resultFor(sequences, input));
    const [dQ, dK, dV] = gradients.map(({ storage }) => storage);
    const shared: AttentionGradients = { out: out.storage, dOut: gradient.storage, dQ, dK, dV };
    if (nearOut) {
      // The near rows were multiplied by `kept`, so their probabilities are those of a mass that is larger by 1/kept.
      const kept = sweeps.map((each) => each.kept as Tensor).reduce((product, each) => multiply(product, each));
      const total = subtract(logSumExp, scale(log(kept), Math.sqrt(dHead)));
      const alone = { ...shared, out: nearOut.storage };
      backend.softmaxAttentionBackward({ ...call, ...alone, logSumExp: total.storage });
      const ofMass = { nearOut: nearOut.storage, kept: kept.storage, causal };
      backend.nearMassBackward({ ...call, ...shared, ...ofMass });
    } else {
      backend.softmaxAttentionBackward({ ...call, ...shared });
    }
    const dGain = Tensor.zeros(backend, [heads]);
    // What an earlier sweep added was then multiplied by what the later sweep kept.
    const later = sweeps[1]?.kept;
    for (const [i, { reverse, shares, snapshots }] of sweeps.entries()) {
      const dGains = Tensor.empty(backend, [numSequences, heads]);
      const total = later && i === 0 ? multiply(shares, later) : shares;
      backend.farFieldBackward({
        ...call,
        ...shared,
        ...{ shares: total.storage, snapshots: (snapshots as Tensor).storage, dGain: dGains.storage, reverse },
      });
      backend.sumAxis({
        ...{ x: dGains.storage, out: dGain.storage, outer: 1, length: numSequences, inner: heads, accumulate: true },
      });
    }
    return [...gradients, ...(gain ? [dGain] : [])];
  };
  const others = [estimated, nearOut].filter((tensor) => tensor !== undefined);
  return record(inputsOfOp, out, adjoint, [logSumExp, ...others, ...saved]);
}

/** @throws ConfigurationError for features that do not estimate the softmax kernel by exponentials */
export function checkSoftmaxMap({ map }: Pick<FeatureTensors, 'map'>): void {
  if (map === 'exponential') return;
  throw new ConfigurationError(
    'The far field of a near field needs features that estimate the softmax kernel: positive, hyperbolic, smreg or favor++.',
  );
}

function copyOf(tensor: Tensor): Tensor {
  const copy = Tensor.empty(tensor.backend, tensor.shape);
  tensor.backend.copy(tensor.storage, copy.storage);
  return copy;
}
