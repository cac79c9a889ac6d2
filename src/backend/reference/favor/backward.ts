/**
 * Gradients of FAVOR+ from the quadratic form. With out_i = Σ_j A_ij v_j / d_i, A_ij has the gradient (dOut_i · v_j −
 * dOut_i · out_i) / d_i. The second term is absent where d_i is not the row's own sum. The features φ_r(q_i) and
 * φ_r(k_j) have the gradient of A_ij times each other, and u and D follow by the chain rule.
 */
import type { AttentionArrays, AttentionGradients, Backend, FavorFeatures, Storage } from '../../types.ts';
import { addScaled, dot, type SequenceHead, sequenceHeads } from '../attention-arrays.ts';
import { floats } from '../storage.ts';
import { type FeatureRow, Features } from './features.ts';
import { quadraticRow, type Row, termScale } from './quadratic.ts';
import type { Unit } from './unit.ts';

type BackwardArguments = AttentionArrays &
  AttentionGradients &
  FavorFeatures & { denominator: Storage; weight: number };

/** Gradients with respect to u and to the norm's share of one row's features. */
export interface FeatureGradient {
  readonly dU: Float64Array;
  dNorm: number;
}

export const zeroGradient = ({ numFeatures }: Features): FeatureGradient => ({
  dU: new Float64Array(numFeatures),
  dNorm: 0,
});

/** Gradients that a row of the quadratic form is added to, and which keys some row has seen. */
interface RowGradients {
  readonly dQuery: FeatureGradient;
  readonly dKeys: readonly FeatureGradient[];
  readonly dV: readonly Float64Array[];
  readonly isSeen: boolean[];
}

/** Adds what row i gives, where the row of the result is factor·Σ_j A_ij v_j and A_ij has the gradient factor·(dOut·v_j − mean). */
export function differentiateRow(
  sequence: SequenceHead,
  i: number,
  query: FeatureRow,
  keys: readonly FeatureRow[],
  { unit, weights }: Row,
  factor: number,
  dOut: Float64Array,
  mean: number,
  { dQuery, dKeys, dV, isSeen }: RowGradients,
): void {
  keys.forEach((key, j) => {
    if (!sequence.sees(i, j)) return;
    isSeen[j] = true;
    if (weights[j] !== 0) addScaled(dV[j], weights[j] * factor, dOut);
    const dWeight = (dot(dOut, sequence.values[j]) - mean) * factor;
    differentiateWeight(query, key, unit, dWeight, weights[j], dQuery, dKeys[j]);
  });
}

/** Adds to the gradients of both what the gradient dWeight of A_ij = `weight` gives. */
export function differentiateWeight(
  query: FeatureRow,
  key: FeatureRow,
  unit: Unit,
  dWeight: number,
  weight: number,
  dQuery: FeatureGradient,
  dKey: FeatureGradient,
): void {
  for (let r = 0; r < query.mantissas.length; r++) {
    const scale = dWeight * termScale(query, key, r, unit);
    dQuery.dU[r] += scale * query.slopes[r] * key.mantissas[r];
    dKey.dU[r] += scale * query.mantissas[r] * key.slopes[r];
  }
  dQuery.dNorm += dWeight * weight;
  dKey.dNorm += dWeight * weight;
}

function backwardSequence(args: BackwardArguments, sequence: SequenceHead, features: Features): void {
  const normalised = args.weight === 0;
  const outs = sequence.outRows(floats(args.out));
  const dQ = sequence.queryRows(floats(args.dQ));
  const dV = sequence.valueRows(floats(args.dV));
  const keys = sequence.keys.map((key) => features.of(key));
  const dKeys = keys.map(() => zeroGradient(features));
  const isSeen = keys.map(() => false);
  for (const row of [...dQ, ...dV]) row.fill(0);
  sequence.outRows(floats(args.dOut)).forEach((dOut, i) => {
    const divisor = floats(args.denominator)[sequence.scalarAt(i)];
    if (divisor === 0) return;
    const query = features.of(sequence.queries[i]);
    const row = quadraticRow(sequence, i, query, keys);
    const dQuery = zeroGradient(features);
    const mean = normalised ? dot(dOut, outs[i]) : 0;
    differentiateRow(sequence, i, query, keys, row, 1 / divisor, dOut, mean, { dQuery, dKeys, dV, isSeen });
    // in a row divided by a sum in units of exp(norm), the query's own norm cancels
    dQ[i].set(features.backward(sequence.queries[i], dQuery.dU, normalised ? 0 : dQuery.dNorm));
  });
  sequence.keyRows(floats(args.dK)).forEach((dKey, j) => {
    if (!isSeen[j]) dKey.fill(0);
    else dKey.set(features.backward(sequence.keys[j], dKeys[j].dU, dKeys[j].dNorm));
  });
}

function backward(args: BackwardArguments, causal: boolean): void {
  const features = new Features(args, args.dHead);
  for (const sequence of sequenceHeads(args, causal)) backwardSequence(args, sequence, features);
}

export function favorBackward(args: Parameters<Backend['favorBackward']>[0]): void {
  backward(args, false);
}

export function favorCausalBackward(args: Parameters<Backend['favorCausalBackward']>[0]): void {
  backward(args, true);
}
