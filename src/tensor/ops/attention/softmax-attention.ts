import type { AttentionGradients } from '../../../backend/types.ts';
import { Tensor } from '../../tensor.ts';
import {
  type AttentionInputs,
  attentionShape,
  attentionSizes,
  attentionStorages,
  recordAttention,
  resultFor,
} from './shapes.ts';

interface SoftmaxAttentionOptions {
  /** Query i of a sequence sees keys j ≤ i + offset. Default false. */
  readonly causal?: boolean | undefined;
  /** Multiplies the scores. Default 1/√dHead. */
  readonly scale?: number | undefined;
  /** Divide every row by its sum over the keys. Default true. */
  readonly normalised?: boolean | undefined;
  /** Positions in a block: a query sees only keys of its own and neighbouring blocks. Default 0: all keys. */
  readonly block?: number | undefined;
  /** The first keys of a sequence, which every query sees whatever the block. Default 0. */
  readonly sinks?: number | undefined;
}

/**
 * Exact attention `softmax(scale·QKᵀ)V`, in blocks: O(lengthQ·lengthK·(dHead + dValue)) time, O(lengthQ) extra memory.
 *
 * @returns shaped like the queries, with dValue for dHead; zeros for a query that sees no valid key
 */
export function softmaxAttention(
  inputs: AttentionInputs,
  { causal = false, scale, normalised = true, block, sinks }: SoftmaxAttentionOptions = {},
): Tensor {
  const { queries, layout, sequences } = inputs;
  const { backend } = queries;
  const sizes = attentionSizes(inputs);
  const { batch, heads, lengthQ, dHead, dValue } = sizes;
  const scoreScale = scale ?? 1 / Math.sqrt(dHead);
  const out = resultFor(sequences, queries, attentionShape(layout, batch, heads, lengthQ, dValue));
  const logSumExp = Tensor.empty(backend, [batch, heads, lengthQ]);
  const shared = {
    ...{ ...sizes, ...attentionStorages(inputs), causal, scale: scoreScale },
    ...{ normalise: normalised, block, sinks },
  };
  backend.softmaxAttention({ ...shared, out: out.storage, logSumExp: logSumExp.storage });
  const backward = (gradients: AttentionGradients) =>
    backend.softmaxAttentionBackward({ ...shared, ...gradients, logSumExp: logSumExp.storage });
  return recordAttention(inputs, out, backward, [logSumExp]);
}
