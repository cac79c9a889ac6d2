import { record } from '../tape.ts';
import { Tensor } from '../tensor.ts';
import {
  type AttentionInputs,
  attentionShape,
  attentionSizes,
  attentionStorages,
  resultFor,
} from './attention-shapes.ts';

/**
 * Exact attention `softmax(scale·QKᵀ)V`, in blocks: O(lengthQ·lengthK·(dHead + dValue)) time, O(lengthQ) extra memory.
 *
 * @param causal query i of a run sees keys j ≤ i + keyLength − queryLength
 * @param scale multiplies the scores. Default 1/√dHead.
 * @returns shaped like the queries, with dValue for dHead; zeros for a query that sees no valid key
 */
export function softmaxAttention(
  inputs: AttentionInputs,
  { causal = false, scale }: { causal?: boolean; scale?: number } = {},
): Tensor {
  const { queries, keys, values, layout, runs } = inputs;
  const { backend } = queries;
  const sizes = attentionSizes(inputs);
  const { batch, heads, lengthQ, dHead, dValue } = sizes;
  const scoreScale = scale ?? 1 / Math.sqrt(dHead);
  const out = resultFor(runs, queries, attentionShape(layout, batch, heads, lengthQ, dValue));
  const logSumExp = Tensor.empty(backend, [batch, heads, lengthQ]);
  const shared = { ...sizes, ...attentionStorages(inputs), causal, scale: scoreScale };
  backend.softmaxAttention({ ...shared, out: out.storage, logSumExp: logSumExp.storage });
  return record(
    [queries, keys, values],
    out,
    (gradient) => {
      const gradients = [queries, keys, values].map((input) => resultFor(runs, input));
      const [dQ, dK, dV] = gradients.map((g) => g.storage);
      backend.softmaxAttentionBackward({
        ...shared,
        out: out.storage,
        logSumExp: logSumExp.storage,
        dOut: gradient.storage,
        dQ,
        dK,
        dV,
      });
      return gradients;
    },
    [logSumExp],
  );
}
