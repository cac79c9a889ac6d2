/** FAVOR+, literally: the quadratic form A_ij = Σ_r φ_r(q_i) φ_r(k_j), its rows divided by their sums, times V. */
import type { AttentionArrays, Backend, FavorFeatures, FavorResult, FavorStateArrays, Storage } from '../../types.ts';
import { addScaled, sequenceHeads } from '../attention-arrays.ts';
import { floats } from '../storage.ts';
import { Features } from './features.ts';
import { quadraticRow } from './quadratic.ts';
import { addKeys, FavorState } from './state.ts';
import { divisorOf, unitOf } from './unit.ts';

function forward(
  args: AttentionArrays & FavorFeatures & FavorResult & { out: Storage; denominator: Storage },
  causal: boolean,
  initialState: FavorStateArrays | undefined,
): void {
  const features = new Features(args, args.dHead);
  const outArray = floats(args.out);
  const denominators = floats(args.denominator);
  for (const sequence of sequenceHeads(args, causal)) {
    const index = sequence.index * args.heads + sequence.head;
    const initial = initialState && new FavorState(initialState, index, args.numFeatures, args.dValue);
    const keys = sequence.keys.map((key) => features.of(key));
    sequence.outRows(outArray).forEach((out, i) => {
      const row = quadraticRow(sequence, i, features.of(sequence.queries[i]), keys, initial);
      const divisor = divisorOf(row.sum, row.unit, args);
      denominators[sequence.scalarAt(i)] = divisor;
      out.fill(0);
      if (divisor === 0) return;
      row.weights.forEach((weight, j) => {
        if (weight !== 0) addScaled(out, weight / divisor, sequence.values[j]);
      });
      row.stateWeights.forEach((weight, r) => {
        if (!initial || weight === 0) return;
        for (let c = 0; c < out.length; c++) out[c] += (weight / divisor) * initial.sum(r, c);
      });
    });
  }
}

/** Adds every sequence's keys to its states. */
function updateStates(args: AttentionArrays & FavorFeatures, state: FavorStateArrays, clear: boolean): void {
  const features = new Features(args, args.dHead);
  for (const sequence of sequenceHeads(args, false)) {
    const target = new FavorState(state, sequence.index * args.heads + sequence.head, args.numFeatures, args.dValue);
    if (clear) target.clear();
    addKeys(target, features, sequence.keys, sequence.values, sequence.isValidKey);
  }
}

export function favor(args: Parameters<Backend['favor']>[0]): void {
  updateStates(args, args, true);
  forward(args, false, undefined);
}

export function favorCausal(args: Parameters<Backend['favorCausal']>[0]): void {
  const { sums, compensation, scales } = args;
  const state = sums && compensation && scales && { sums, compensation, scales };
  forward(args, true, state);
  if (state && args.updateState) updateStates(args, state, false);
}

export function favorStep(args: Parameters<Backend['favorStep']>[0]): void {
  const { batch, heads, dHead, dValue, numFeatures } = args;
  const features = new Features(args, dHead);
  const q = floats(args.q, batch * heads * dHead);
  const k = floats(args.k, batch * heads * dHead);
  const v = floats(args.v, batch * heads * dValue);
  const out = floats(args.out, batch * heads * dValue);
  for (let index = 0; index < batch * heads; index++) {
    const row = (array: Float64Array, width: number) => array.subarray(index * width, (index + 1) * width);
    const state = new FavorState(args, index, numFeatures, dValue);
    state.add(features.of(row(k, dHead)), row(v, dValue));
    const query = features.of(row(q, dHead));
    state.read(query, unitOf(query, state.scales), args, row(out, dValue));
  }
}
