/** Exact attention, literally: the row of scores, its softmax (or its exponentials), the weighted sum of values. */
import type { AttentionArrays, Backend, SoftmaxOptions } from '../types.ts';
import { addScaled, dot, type SequenceHead, sequenceHeads } from './attention-arrays.ts';
import { isNear } from './near-field.ts';
import { floats } from './storage.ts';

/**
 * Softmax over the keys that query i sees (zeros where it sees none), and the log of its normaliser over the scale. Not
 * normalised: the exponentials themselves, over a normaliser of 1.
 */
function attentionRow(
  unit: SequenceHead,
  i: number,
  { scale, normalise, block, sinks }: SoftmaxOptions,
): { weights: Float64Array; logSumExp: number } {
  const scores = Float64Array.from(unit.keys, (key, j) =>
    unit.sees(i, j) && isNear(unit, i, j, { block, sinks })
      ? scale * dot(unit.queries[i], key)
      : Number.NEGATIVE_INFINITY,
  );
  const max = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (max === Number.NEGATIVE_INFINITY) return { weights: scores.fill(0), logSumExp: max };
  if (!normalise) return { weights: scores.map(Math.exp), logSumExp: 0 };
  const sum = scores.reduce((total, score) => total + Math.exp(score - max), 0);
  return { weights: scores.map((score) => Math.exp(score - max) / sum), logSumExp: (max + Math.log(sum)) / scale };
}

export function softmaxAttention(args: Parameters<Backend['softmaxAttention']>[0]): void {
  const outArray = floats(args.out);
  const logSumExpArray = floats(args.logSumExp);
  for (const unit of sequenceHeads(args as AttentionArrays, args.causal)) {
    unit.outRows(outArray).forEach((out, i) => {
      const { weights, logSumExp } = attentionRow(unit, i, args);
      out.fill(0);
      weights.forEach((weight, j) => {
        if (weight > 0) addScaled(out, weight, unit.values[j]);
      });
      logSumExpArray[unit.scalarAt(i)] = logSumExp;
    });
  }
}

/**
 * With P the attention matrix and dP_ij = dOut_i · v_j: dS_ij = P_ij (dP_ij − dOut_i · out_i). Not normalised: dS_ij =
 * P_ij dP_ij. P is the row of exponentials over the given sum, which may be one over more keys, as `out` may be.
 */
export function softmaxAttentionBackward(args: Parameters<Backend['softmaxAttentionBackward']>[0]): void {
  const dOutArray = floats(args.dOut);
  for (const unit of sequenceHeads(args as AttentionArrays, args.causal)) {
    const dQ = unit.queryRows(floats(args.dQ));
    const dK = unit.keyRows(floats(args.dK));
    const dV = unit.valueRows(floats(args.dV));
    for (const row of [...dQ, ...dK, ...dV]) row.fill(0);
    const outs = unit.outRows(floats(args.out));
    unit.outRows(dOutArray).forEach((dOut, i) => {
      const own = attentionRow(unit, i, args);
      const logSumExp = floats(args.logSumExp)[unit.scalarAt(i)];
      const share =
        args.normalise && own.logSumExp !== logSumExp ? Math.exp(args.scale * (own.logSumExp - logSumExp)) : 1;
      const weights = own.weights.map((weight) => (weight === 0 ? 0 : weight * share));
      const dWeights = weights.map((weight, j) => (weight > 0 ? dot(dOut, unit.values[j]) : 0));
      const mean = args.normalise ? dot(dOut, outs[i]) : 0;
      weights.forEach((weight, j) => {
        if (weight === 0 || !unit.sees(i, j)) return;
        const dScore = weight * (dWeights[j] - mean) * args.scale;
        addScaled(dQ[i], dScore, unit.keys[j]);
        addScaled(dK[j], dScore, unit.queries[i]);
        addScaled(dV[j], weight, dOut);
      });
    });
  }
}
