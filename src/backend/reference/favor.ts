/**
 * FAVOR+, literally: the quadratic form A_ij = Σ_r φ_r(q_i) φ_r(k_j), its rows divided by their sums, times V. Terms
 * are kept as logarithms until the largest of their row is known, so nothing overflows and no row vanishes.
 */
import type {
  AttentionArrays,
  AttentionGradients,
  Backend,
  FavorFeatures,
  FavorResult,
  FavorStateArrays,
  Storage,
} from '../types.ts';
import { addScaled, dot, runHeads } from './attention-arrays.ts';
import { type FeatureRow, Features } from './favor-features.ts';
import { addKeys, FavorState } from './favor-state.ts';
import { floats } from './storage.ts';

/** One row of the quadratic form before division. */
interface Row {
  /** Whether the query sees a key, or the initial state holds one. */
  readonly seesKeys: boolean;
  /** Natural logarithm of what every other number here is relative to: the largest term of the row. */
  readonly logMax: number;
  /** A_ij / exp(logMax), `[keyLength]`; zero for keys that the query does not see. */
  readonly weights: Float64Array;
  /** φ_r(q_i) · 2^scale_r / exp(logMax): the weight of feature r of the initial state, if there is one. */
  readonly stateWeights: Float64Array;
  /** Σ_j A_ij plus the initial state's share, relative to exp(logMax). */
  readonly sum: number;
}

function quadraticRow(
  sees: (j: number) => boolean,
  query: FeatureRow,
  keys: readonly FeatureRow[],
  initial: FavorState | undefined,
): Row {
  const stateLogs = initial ? query.logs.map((log, r) => log + initial.scale(r) * Math.LN2) : new Float64Array(0);
  let logMax = stateLogs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  keys.forEach((key, j) => {
    if (sees(j)) logMax = key.logs.reduce((max, log, r) => Math.max(max, query.logs[r] + log), logMax);
  });
  const weights = new Float64Array(keys.length);
  const seesKeys = logMax > Number.NEGATIVE_INFINITY;
  if (!seesKeys) return { seesKeys, logMax, weights, stateWeights: stateLogs.fill(0), sum: 0 };
  let sum = 0;
  keys.forEach((key, j) => {
    if (!sees(j)) return;
    weights[j] = key.factors.reduce(
      (total, factor, r) => total + query.factors[r] * factor * Math.exp(query.logs[r] + key.logs[r] - logMax),
      0,
    );
    sum += weights[j];
  });
  const stateWeights = stateLogs.map((log, r) => query.factors[r] * Math.exp(log - logMax));
  stateWeights.forEach((weight, r) => {
    if (weight !== 0) sum += weight * initial!.sum(r, initial!.width - 1);
  });
  return { seesKeys, logMax, weights, stateWeights, sum };
}

/**
 * log2 of the unit in which the kernels report a query's denominator: max_r (n_r + c_r), n_r the rounded log2 feature
 * of the query without D and c_r the scale of feature r over the keys it sees, the initial state's included.
 */
function denominatorScale(
  sees: (j: number) => boolean,
  query: FeatureRow,
  keys: readonly FeatureRow[],
  initial: FavorState | undefined,
): number {
  const scales = query.logs.map((_, r) => (initial ? initial.scale(r) : Number.NEGATIVE_INFINITY));
  keys.forEach((key, j) => {
    if (!sees(j)) return;
    key.logs.forEach((log, r) => {
      scales[r] = Math.max(scales[r], Math.round(log * Math.LOG2E));
    });
  });
  return query.logs.reduce(
    (max, log, r) => Math.max(max, Math.round((log - query.common) * Math.LOG2E) + scales[r]),
    Number.NEGATIVE_INFINITY,
  );
}

/** What the numerators of a row, relative to the kernels' unit, are divided by. */
function denominatorOf(row: Row, query: FeatureRow, log2Unit: number, { weight, stabiliser }: FavorResult): number {
  if (weight > 0) return 2 ** (-query.common * Math.LOG2E - log2Unit) / weight;
  const sum = row.sum * 2 ** ((row.logMax - query.common) * Math.LOG2E - log2Unit);
  return Math.abs(sum) <= stabiliser ? sum + 2 * stabiliser : sum;
}

function forward(
  args: AttentionArrays & FavorFeatures & FavorResult & { out: Storage; denominator: Storage },
  causal: boolean,
  initialState: FavorStateArrays | undefined,
): void {
  const features = new Features(args, args.dHead);
  const outArray = floats(args.out);
  const denominators = floats(args.denominator);
  for (const unit of runHeads(args, causal)) {
    const index = unit.run * args.heads + unit.head;
    const initial = initialState && new FavorState(initialState, index, args.numFeatures, args.dValue);
    const keys = unit.keys.map((key) => features.row(key));
    unit.outRows(outArray).forEach((out, i) => {
      const query = features.row(unit.queries[i]);
      const sees = (j: number) => unit.sees(i, j);
      const row = quadraticRow(sees, query, keys, initial);
      out.fill(0);
      denominators[unit.scalarAt(i)] = 0;
      if (!row.seesKeys) return;
      const log2Unit = denominatorScale(sees, query, keys, initial);
      const denominator = denominatorOf(row, query, log2Unit, args);
      denominators[unit.scalarAt(i)] = denominator;
      const inverse = 2 ** ((row.logMax - query.common) * Math.LOG2E - log2Unit) / denominator;
      row.weights.forEach((weight, j) => {
        if (weight !== 0) addScaled(out, weight * inverse, unit.values[j]);
      });
      row.stateWeights.forEach((weight, r) => {
        if (weight === 0) return;
        for (let c = 0; c < out.length; c++) out[c] += weight * inverse * initial!.sum(r, c);
      });
    });
  }
}

/**
 * With N_i the numerators and d_i what they are divided by, A_ij has the gradient (dOut_i · v_j − dOut_i · out_i)/d_i, the
 * second term only where d_i is the row's sum. A feature φ = factor·exp(log) passes it on to u and to D.
 */
function backward(
  args: AttentionArrays & AttentionGradients & FavorFeatures & { denominator: Storage; weight: number },
  causal: boolean,
): void {
  const features = new Features(args, args.dHead);
  const dOutArray = floats(args.dOut);
  const outArray = floats(args.out);
  const denominators = floats(args.denominator);
  for (const unit of runHeads(args, causal)) {
    const dQ = unit.queryRows(floats(args.dQ));
    const dV = unit.valueRows(floats(args.dV));
    const outs = unit.outRows(outArray);
    const keys = unit.keys.map((key) => features.row(key));
    const dKeys = keys.map(() => ({ u: new Float64Array(features.numFeatures), halfNorm: 0 }));
    for (const row of dV) row.fill(0);
    unit.outRows(dOutArray).forEach((dOut, i) => {
      const query = features.row(unit.queries[i]);
      const sees = (j: number) => unit.sees(i, j);
      const dQuery = { u: new Float64Array(features.numFeatures), halfNorm: 0 };
      const row = quadraticRow(sees, query, keys, undefined);
      if (row.seesKeys) {
        const log2Unit = denominatorScale(sees, query, keys, undefined);
        const toRow = 2 ** (log2Unit - (row.logMax - query.common) * Math.LOG2E);
        const denominator = denominators[unit.scalarAt(i)] * toRow;
        const mean = args.weight > 0 ? 0 : dot(dOut, outs[i]);
        keys.forEach((key, j) => {
          if (!sees(j)) return;
          const gradient = (dot(dOut, unit.values[j]) - mean) / denominator;
          for (let r = 0; r < features.numFeatures; r++) {
            const magnitude = gradient * Math.exp(query.logs[r] + key.logs[r] - row.logMax);
            dQuery.u[r] += magnitude * query.slopes[r] * key.factors[r];
            dKeys[j].u[r] += magnitude * query.factors[r] * key.slopes[r];
            const product = features.normSign * magnitude * query.factors[r] * key.factors[r];
            dQuery.halfNorm += product;
            dKeys[j].halfNorm += product;
          }
          addScaled(dV[j], row.weights[j] / denominator, dOut);
        });
      }
      dQ[i].set(features.backward(unit.queries[i], dQuery.u, dQuery.halfNorm));
    });
    unit.keyRows(floats(args.dK)).forEach((dKey, j) => {
      dKey.set(features.backward(unit.keys[j], dKeys[j].u, dKeys[j].halfNorm));
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

/** One token: the quadratic form of one query over the state that holds its own key. */
export function favorStep(args: Parameters<Backend['favorStep']>[0]): void {
  const { batch, heads, dHead, dValue, numFeatures } = args;
  const features = new Features(args, dHead);
  const q = floats(args.q, batch * heads * dHead);
  const k = floats(args.k, batch * heads * dHead);
  const v = floats(args.v, batch * heads * dValue);
  const out = floats(args.out, batch * heads * dValue);
  for (let index = 0; index < batch * heads; index++) {
    const rowOf = (array: Float64Array, width: number) => array.subarray(index * width, (index + 1) * width);
    const state = new FavorState(args, index, numFeatures, dValue);
    state.add(features.row(rowOf(k, dHead)), rowOf(v, dValue));
    const query = features.row(rowOf(q, dHead));
    const row = quadraticRow(() => false, query, [], state);
    const log2Unit = denominatorScale(() => false, query, [], state);
    const denominator = denominatorOf(row, query, log2Unit, args);
    const inverse = 2 ** ((row.logMax - query.common) * Math.LOG2E - log2Unit) / denominator;
    rowOf(out, dValue).forEach((_, c, target) => {
      target[c] =
        row.stateWeights.reduce((sum, weight, r) => sum + (weight === 0 ? 0 : weight * state.sum(r, c)), 0) * inverse;
    });
  }
}
