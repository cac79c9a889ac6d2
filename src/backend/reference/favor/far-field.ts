/**
 * The far field, literally: far keys by the quadratic form over features, added to the rows of a near field. Masses are
 * exponents of 2, so that nothing overflows.
 */
import type { Backend, FavorStateArrays } from '../../types.ts';
import { addScaled, dot, type SequenceHead, sequenceHeads } from '../attention-arrays.ts';
import { firstNearBlock, isFar } from '../near-field.ts';
import { floats } from '../storage.ts';
import { differentiateRow, type FeatureGradient, zeroGradient } from './backward.ts';
import { type FeatureRow, Features } from './features.ts';
import { quadraticRow } from './quadratic.ts';
import { addKeys, FavorState } from './state.ts';

type Forward = Parameters<Backend['farField']>[0];
type Backward = Parameters<Backend['farFieldBackward']>[0];
type Shared = Omit<Backward, 'out' | 'shares' | 'snapshots' | 'dOut' | 'dQ' | 'dK' | 'dV' | 'dGain'>;

const featuresOf = (args: Shared) => new Features({ ...args, map: 'exponential', epsilon: 0 }, args.dHead);

/** The sequence with its far keys alone, from the block `firstBlock` on. */
function farOf(sequence: SequenceHead, args: Shared, firstBlock = Number.NEGATIVE_INFINITY): SequenceHead {
  const sees = (i: number, j: number) => Math.floor(j / args.block) >= firstBlock && isFar(sequence, i, j, args);
  return { ...sequence, sees };
}

function addState(out: Float64Array, state: FavorState | undefined, stateWeights: Float64Array, share: number): void {
  stateWeights.forEach((weight, r) => {
    if (!state || weight === 0) return;
    for (let c = 0; c < out.length; c++) out[c] += share * weight * state.sum(r, c);
  });
}

export function farField(args: Forward): void {
  const { sums, compensation, scales, block, sinks = 0 } = args;
  const arrays: FavorStateArrays | undefined = sums && compensation && scales && { sums, compensation, scales };
  const features = featuresOf(args);
  const bits = Math.LOG2E / Math.sqrt(args.dHead);
  const logSumExp = floats(args.logSumExp);
  for (const sequence of sequenceHeads(args, false)) {
    const index = sequence.index * args.heads + sequence.head;
    const state = arrays && new FavorState(arrays, index, args.numFeatures, args.dValue);
    const firstBlock = state ? firstNearBlock(sequence.positionOf(0), block) : undefined;
    const far = farOf(sequence, args, firstBlock);
    const gain = args.gain ? floats(args.gain)[sequence.head] : 0;
    const keys = sequence.keys.map((key) => features.of(key));
    sequence.outRows(floats(args.out)).forEach((out, i) => {
      const at = sequence.scalarAt(i);
      const row = quadraticRow(far, i, features.of(sequence.queries[i]), keys, state);
      const farMass = row.unit.log2 + (row.unit.norm + gain) * Math.LOG2E + Math.log2(args.weight);
      const nearMass = logSumExp[at] * bits;
      const isEmpty = row.unit.log2 === Number.NEGATIVE_INFINITY;
      const unit = Math.max(farMass, nearMass);
      const kept = isEmpty ? 1 : 2 ** (nearMass - unit);
      const share = isEmpty ? 0 : 2 ** (farMass - unit);
      const total = kept + share * row.sum;
      floats(args.shares)[at] = share / total;
      if (args.kept) floats(args.kept)[at] = kept / total;
      if (isEmpty) return;
      for (let c = 0; c < out.length; c++) out[c] = kept === 0 ? 0 : (out[c] * kept) / total;
      row.weights.forEach((weight, j) => {
        if (weight !== 0) addScaled(out, (share * weight) / total, sequence.values[j]);
      });
      addState(out, state, row.stateWeights, share / total);
      logSumExp[at] = (unit + Math.log2(total)) / bits;
    });
    if (!state || !args.updateState) continue;
    const end = firstNearBlock(sequence.keys.length, block) * block;
    const isAdded = (j: number) => j >= (firstBlock ?? 0) * block && j < end && j >= sinks && sequence.isValidKey(j);
    addKeys(state, features, sequence.keys, sequence.values, isAdded);
  }
}

function backwardSequence(args: Backward, sequence: SequenceHead, features: Features): number {
  const far = farOf(sequence, args);
  const keys: FeatureRow[] = sequence.keys.map((key) => features.of(key));
  const dKeys: FeatureGradient[] = keys.map(() => zeroGradient(features));
  const dQ = sequence.queryRows(floats(args.dQ));
  const dV = sequence.valueRows(floats(args.dV));
  const outs = sequence.outRows(floats(args.out));
  let dGain = 0;
  const isSeen = keys.map(() => false);
  sequence.outRows(floats(args.dOut)).forEach((dOut, i) => {
    const share = floats(args.shares)[sequence.scalarAt(i)];
    if (share === 0) return;
    const query = features.of(sequence.queries[i]);
    const row = quadraticRow(far, i, query, keys);
    const dQuery = zeroGradient(features);
    const into = { dQuery, dKeys, dV, isSeen };
    differentiateRow(far, i, query, keys, row, share, dOut, dot(dOut, outs[i]), into);
    addScaled(dQ[i], 1, features.backward(sequence.queries[i], dQuery.dU, dQuery.dNorm));
    dGain += dQuery.dNorm;
  });
  sequence.keyRows(floats(args.dK)).forEach((dKey, j) => {
    if (!isSeen[j]) return;
    addScaled(dKey, 1, features.backward(sequence.keys[j], dKeys[j].dU, dKeys[j].dNorm));
  });
  return dGain;
}

export function farFieldBackward(args: Backward): void {
  const features = featuresOf(args);
  for (const sequence of sequenceHeads(args, false)) {
    floats(args.dGain)[sequence.index * args.heads + sequence.head] = backwardSequence(args, sequence, features);
  }
}
