/** The mass of a near field as features estimate it: sums of the quadratic form over near keys. */
import type { Backend } from '../../types.ts';
import { addScaled, dot, type SequenceHead, sequenceHeads } from '../attention-arrays.ts';
import { isNear } from '../near-field.ts';
import { floats } from '../storage.ts';
import { differentiateWeight, zeroGradient } from './backward.ts';
import { Features } from './features.ts';
import { quadraticRow } from './quadratic.ts';

type Forward = Parameters<Backend['nearMass']>[0];
type Backward = Parameters<Backend['nearMassBackward']>[0];

/** The near keys of every query; values are not read. */
function* nearOf(args: Omit<Forward, 'logMass'>): Generator<SequenceHead> {
  // Keys stand for the values, so that there are rows to look at.
  for (const sequence of sequenceHeads({ ...args, v: args.k, dValue: args.dHead }, args.causal)) {
    yield { ...sequence, sees: (i, j) => sequence.sees(i, j) && isNear(sequence, i, j, args) };
  }
}

const featuresOf = (args: Omit<Forward, 'logMass'>) =>
  new Features({ ...args, map: 'exponential', epsilon: 0 }, args.dHead);

export function nearMass(args: Forward): void {
  const features = featuresOf(args);
  const logMass = floats(args.logMass);
  for (const near of nearOf(args)) {
    const keys = near.keys.map((key) => features.of(key));
    near.queries.forEach((query, i) => {
      const { unit, sum } = quadraticRow(near, i, features.of(query), keys);
      const log = unit.log2 * Math.LN2 + unit.norm + Math.log(args.weight * sum);
      logMass[near.scalarAt(i)] = sum > 0 ? log * Math.sqrt(args.dHead) : Number.NEGATIVE_INFINITY;
    });
  }
}

export function nearMassBackward(args: Backward): void {
  const features = featuresOf(args);
  const [outs, nearOuts, dOuts] = [args.out, args.nearOut, args.dOut].map((storage) => floats(storage));
  const dQ = floats(args.dQ);
  const dK = floats(args.dK);
  const kept = floats(args.kept);
  // Rows of out have another width than those of q.
  const wide = [...sequenceHeads({ ...args, v: args.k, dValue: args.dValue }, args.causal)];
  [...nearOf(args)].forEach((near, n) => {
    const [all, alone, gradients] = [outs, nearOuts, dOuts].map((array) => wide[n].outRows(array));
    const keys = near.keys.map((key) => features.of(key));
    const dKeys = keys.map(() => zeroGradient(features));
    const isSeen = keys.map(() => false);
    const dQueries = near.queryRows(dQ);
    near.queries.forEach((given, i) => {
      const weight = kept[near.scalarAt(i)];
      if (weight === 0) return;
      const query = features.of(given);
      const { unit, sum, weights } = quadraticRow(near, i, query, keys);
      if (!(sum > 0)) return;
      const ofLog = weight * (dot(gradients[i], alone[i]) - dot(gradients[i], all[i]));
      const dQuery = zeroGradient(features);
      keys.forEach((key, j) => {
        if (!near.sees(i, j)) return;
        isSeen[j] = true;
        differentiateWeight(query, key, unit, ofLog / sum, weights[j], dQuery, dKeys[j]);
      });
      addScaled(dQueries[i], 1, features.backward(given, dQuery.dU, dQuery.dNorm));
    });
    near.keyRows(dK).forEach((dKey, j) => {
      if (isSeen[j]) addScaled(dKey, 1, features.backward(near.keys[j], dKeys[j].dU, dKeys[j].dNorm));
    });
  });
}
