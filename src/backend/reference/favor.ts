/**
 * FAVOR+, literally: the quadratic form A_ij = Σ_r φ_r(q_i) φ_r(k_j), its rows divided by their sums, times V. Terms
 * are kept as logarithms until the largest of their row is known, so nothing overflows and no row vanishes.
 */
import type {
  AttentionArrays,
  AttentionGradients,
  Backend,
  FavorFeatures,
  FavorStateArrays,
  Storage,
} from '../types.ts';
import { addScaled, dot, type RunHead, runHeads } from './attention-arrays.ts';
import { Features } from './favor-features.ts';
import { addKeys, FavorState } from './favor-state.ts';
import { floats } from './storage.ts';

/** One row of the quadratic form before division. */
interface Row {
  /** Natural logarithm of what every other number here is relative to: the largest term of the row. */
  readonly logMax: number;
  /** A_ij / exp(logMax), `[keyLength]`; zero for keys that the query does not see. */
  readonly weights: Float64Array;
  /** φ_r(q_i) · 2^scale_r / exp(logMax): the weight of feature r of the initial state, if there is one. */
  readonly stateWeights: Float64Array;
  /** Σ_j A_ij plus the initial state's share, relative to exp(logMax). Zero if the query sees no key. */
  readonly sum: number;
}

function quadraticRow(
  unit: RunHead,
  i: number,
  logQuery: Float64Array,
  logKeys: readonly Float64Array[],
  initial: FavorState | undefined,
): Row {
  const numFeatures = logQuery.length;
  let logMax = Number.NEGATIVE_INFINITY;
  logKeys.forEach((logKey, j) => {
    if (!unit.sees(i, j)) return;
    for (let r = 0; r < numFeatures; r++) logMax = Math.max(logMax, logQuery[r] + logKey[r]);
  });
  const stateTerms = initial ? logQuery.map((term, r) => term + initial.scale(r) * Math.LN2) : new Float64Array(0);
  for (const term of stateTerms) logMax = Math.max(logMax, term);

  const weights = new Float64Array(logKeys.length);
  if (logMax === Number.NEGATIVE_INFINITY) return { logMax, weights, stateWeights: stateTerms.fill(0), sum: 0 };
  let sum = 0;
  logKeys.forEach((logKey, j) => {
    if (!unit.sees(i, j)) return;
    for (let r = 0; r < numFeatures; r++) weights[j] += Math.exp(logQuery[r] + logKey[r] - logMax);
    sum += weights[j];
  });
  const stateWeights = stateTerms.map((term) => Math.exp(term - logMax));
  stateWeights.forEach((weight, r) => {
    if (weight > 0) sum += weight * initial!.sum(r, initial!.width - 1);
  });
  return { logMax, weights, stateWeights, sum };
}

/**
 * log2 of the unit in which the kernels report a query's denominator: max_r (n_r + c_r), n_r the rounded log2 feature
 * of the query without D and c_r the scale of feature r over the keys it sees, the initial state's included.
 */
function denominatorScale(
  unit: RunHead,
  i: number,
  exponents: Float64Array,
  logKeys: readonly Float64Array[],
  initial: FavorState | undefined,
): number {
  const scales = exponents.map((_, r) => (initial ? initial.scale(r) : Number.NEGATIVE_INFINITY));
  logKeys.forEach((logKey, j) => {
    if (!unit.sees(i, j)) return;
    logKey.forEach((term, r) => {
      scales[r] = Math.max(scales[r], Math.round(term * Math.LOG2E));
    });
  });
  return exponents.reduce(
    (max, exponent, r) => Math.max(max, Math.round(exponent * Math.LOG2E) + scales[r]),
    Number.NEGATIVE_INFINITY,
  );
}

function forward(
  args: AttentionArrays & FavorFeatures & { out: Storage; denominator: Storage },
  causal: boolean,
  initialState: FavorStateArrays | undefined,
): void {
  const features = new Features(args, args.dHead);
  const outArray = floats(args.out);
  const denominators = floats(args.denominator);
  for (const unit of runHeads(args, causal)) {
    const index = unit.run * args.heads + unit.head;
    const initial = initialState && new FavorState(initialState, index, args.numFeatures, args.dValue);
    const logKeys = unit.keys.map((key) => features.logFeatures(key));
    unit.outRows(outArray).forEach((out, i) => {
      const query = unit.queries[i];
      const exponents = features.exponents(query);
      const row = quadraticRow(unit, i, features.logFeatures(query), logKeys, initial);
      out.fill(0);
      denominators[unit.scalarAt(i)] = 0;
      if (row.sum === 0) return;
      row.weights.forEach((weight, j) => {
        if (weight > 0) addScaled(out, weight / row.sum, unit.values[j]);
      });
      row.stateWeights.forEach((weight, r) => {
        if (weight === 0) return;
        for (let c = 0; c < out.length; c++) out[c] += (weight / row.sum) * initial!.sum(r, c);
      });
      const halfNorm = (features.inputScale ** 2 * dot(query, query)) / 2;
      const log2Sum = (row.logMax + halfNorm + Math.log(row.sum)) * Math.LOG2E;
      denominators[unit.scalarAt(i)] = 2 ** (log2Sum - denominatorScale(unit, i, exponents, logKeys, initial));
    });
  }
}

/** With P_ij = A_ij / Σ_j A_ij, a term t of A_ij has the gradient t / Σ_j A_ij · (dOut_i · v_j − dOut_i · out_i). */
function backward(args: AttentionArrays & AttentionGradients & FavorFeatures, causal: boolean): void {
  const features = new Features(args, args.dHead);
  const dOutArray = floats(args.dOut);
  for (const unit of runHeads(args, causal)) {
    const dQ = unit.queryRows(floats(args.dQ));
    const dV = unit.valueRows(floats(args.dV));
    const logKeys = unit.keys.map((key) => features.logFeatures(key));
    const dLogKeys = logKeys.map((logKey) => new Float64Array(logKey.length));
    for (const row of dV) row.fill(0);
    unit.outRows(dOutArray).forEach((dOut, i) => {
      const logQuery = features.logFeatures(unit.queries[i]);
      const row = quadraticRow(unit, i, logQuery, logKeys, undefined);
      const dLogQuery = new Float64Array(logQuery.length);
      // dOut_i · v_j, and its mean over the row, which is dOut_i · out_i
      const products = unit.values.map((value, j) => (row.weights[j] > 0 ? dot(dOut, value) : 0));
      let mean = 0;
      row.weights.forEach((weight, j) => {
        if (weight > 0) mean += (weight / row.sum) * products[j];
      });
      row.weights.forEach((weight, j) => {
        if (weight === 0) return;
        for (let r = 0; r < logQuery.length; r++) {
          const term = Math.exp(logQuery[r] + logKeys[j][r] - row.logMax) / row.sum;
          dLogQuery[r] += term * (products[j] - mean);
          dLogKeys[j][r] += term * (products[j] - mean);
        }
        addScaled(dV[j], weight / row.sum, dOut);
      });
      dQ[i].set(features.backward(unit.queries[i], dLogQuery));
    });
    unit.keyRows(floats(args.dK)).forEach((dKey, j) => {
      dKey.set(features.backward(unit.keys[j], dLogKeys[j]));
    });
  }
}

/** Adds every run's keys to its states. */
function updateStates(args: AttentionArrays & FavorFeatures, state: FavorStateArrays, clear: boolean): void {
  const features = new Features(args, args.dHead);
  for (const unit of runHeads(args, false)) {
    const target = new FavorState(state, unit.run * args.heads + unit.head, args.numFeatures, args.dValue);
    if (clear) target.clear();
    addKeys(target, features, unit.keys, unit.values, unit.isValidKey);
  }
}

export function favor(args: Parameters<Backend['favor']>[0]): void {
  updateStates(args, args, true);
  forward(args, false, undefined);
}

export function favorBackward(args: Parameters<Backend['favorBackward']>[0]): void {
  backward(args, false);
}

export function favorCausal(args: Parameters<Backend['favorCausal']>[0]): void {
  forward(args, true, args.state);
  if (args.state && args.updateState) updateStates(args, args.state, false);
}

export function favorCausalBackward(args: Parameters<Backend['favorCausalBackward']>[0]): void {
  backward(args, true);
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
    state.add(features.logFeatures(row(k, dHead)), row(v, dValue));
    state.read(features.exponents(row(q, dHead)), row(out, dValue));
  }
}
