/** Bidirectional FAVOR+ as nodes. */

import type { Graph } from '../graph.ts';
import { divide, type Heads, mergeHeads, penalty, type Sequences } from './attention.ts';
import { halfNorm, type LayerFeatures, mantissas, project } from './features.ts';

/** @returns rows `[batch·length, heads·dHead]` */
export function favor(graph: Graph, heads: Heads, features: LayerFeatures, sequences: Sequences): string {
  const attend = features.map === 'exponential' ? exponential : plain;
  return mergeHeads(graph, attend(graph, heads, features, sequences), heads);
}

/**
 * With u of queries and ℓ_jr = u_r − D_j of keys, `out = softmax_r(u_r + log Σ_j exp ℓ_jr) · (softmax_j(ℓ_jr) V)`. That
 * is the quotient of sums, in a form that neither overflows nor vanishes and that runtimes have fused kernels for. The
 * bias, the mask of the keys and −D are more columns of their products, and so is the shift of the queries.
 */
function exponential(graph: Graph, heads: Heads, features: LayerFeatures, { batch, length, valid }: Sequences): string {
  const { numFeatures, dHead, directions, bias, weight } = features;
  const column = (value: number) => graph.floats(new Float32Array(numFeatures).fill(value), [numFeatures, 1]);
  const keys = graph.transpose(heads.keys, 0, 2, 3, 1);
  const rows = [keys, graph.reduce('ReduceSumSquare', keys, 2)];
  const columns = [graph.transpose(directions, 1, 0), column(-0.5 / Math.sqrt(dHead))];
  const alongKeys = (value: string) => graph.add('Expand', [value, graph.shape(batch, heads.heads, 1, length)]);
  if (valid !== undefined) {
    rows.push(graph.once('penalties', () => alongKeys(graph.unsqueeze(penalty(graph, valid), 1, 2))));
    columns.push(column(1));
  }
  if (bias !== undefined) {
    rows.push(graph.once('ones', () => alongKeys(graph.float(1))));
    columns.push(graph.unsqueeze(bias, 1));
  }
  const logKeys = graph.add('MatMul', [graph.concat(1, ...columns), graph.concat(2, ...rows)]);
  const keyWeights = graph.add('Softmax', [logKeys], { axis: -1 });
  const shifts = graph.transpose(logSum(graph, logKeys, keyWeights), 0, 1, 3, 2);
  const means = visible(graph, graph.add('MatMul', [keyWeights, graph.transpose(heads.values, 0, 2, 1, 3)]), valid);

  const queries = graph.transpose(heads.queries, 0, 2, 1, 3);
  const one = graph.once('oneForEachQuery', () =>
    graph.add('Expand', [graph.float(1), graph.shape(batch, heads.heads, length, 1)]),
  );
  const wide = graph.add('Expand', [directions, graph.shape(batch, heads.heads, dHead, numFeatures)]);
  const shifted = bias === undefined ? shifts : graph.add('Add', [shifts, bias]);
  const logQueries = graph.add('MatMul', [graph.concat(3, queries, one), graph.concat(2, wide, shifted)]);
  const queryWeights = graph.add('Softmax', [logQueries], { axis: -1 });
  const out = graph.add('MatMul', [queryWeights, means]);
  if (weight === 0) return out;
  const exponent = graph.add('Sub', [logSum(graph, logQueries, queryWeights), halfNorm(graph, queries, features)]);
  return graph.add('Mul', [out, graph.add('Mul', [graph.add('Exp', [exponent]), weight])]);
}

/** log Σ exp of the last axis: the largest logarithm less that of the largest quotient. */
export function logSum(graph: Graph, logarithms: string, softmax: string): string {
  const largest = graph.add('Log', [graph.reduce('ReduceMax', softmax, -1)]);
  return graph.add('Sub', [graph.reduce('ReduceMax', logarithms, -1), largest]);
}

/** Zeros for batch rows without a valid key. */
function visible(graph: Graph, x: string, valid: string | undefined): string {
  if (valid === undefined) return x;
  const any = graph.once('anyValid', () => graph.unsqueeze(graph.reduce('ReduceMax', valid, 1), 2, 3));
  return graph.add('Mul', [x, any]);
}

/** Maps that are not exponential: sums of features that may be negative. */
function plain(graph: Graph, heads: Heads, features: LayerFeatures, sequences: Sequences): string {
  const [queries, keys] = [heads.queries, heads.keys].map((x) => graph.transpose(x, 0, 2, 1, 3));
  const values = graph.transpose(valuesAndOne(graph, heads, sequences), 0, 2, 1, 3);
  let keyFeatures = mantissas(graph, project(graph, keys, features), features);
  let scale: string | undefined;
  if (features.map === 'sine') {
    const norms = keyNorms(graph, keys, features, sequences.valid && graph.unsqueeze(sequences.valid, 1, 3));
    scale = graph.reduce('ReduceMax', norms, 2);
    keyFeatures = graph.add('Mul', [keyFeatures, graph.add('Exp', [graph.add('Sub', [norms, scale])])]);
  }
  const state = graph.add('MatMul', [graph.transpose(keyFeatures, 0, 1, 3, 2), values]);
  const queryFeatures = mantissas(graph, project(graph, queries, features), features);
  const sums = graph.add('MatMul', [queryFeatures, state]);
  return resultOf(graph, sums, features, () => {
    const norms = halfNorm(graph, queries, features);
    return scale === undefined ? undefined : graph.add('Add', [norms, scale]);
  });
}

/** D of keys, 0 at padding. @param valid shaped like the result */
export function keyNorms(graph: Graph, keys: string, features: LayerFeatures, valid: string | undefined): string {
  const norms = halfNorm(graph, keys, features);
  return valid === undefined ? norms : graph.add('Mul', [norms, valid]);
}

/** `[values, 1]` of every key, zeros at padding: `[batch, length, heads, dHead + 1]`. */
export function valuesAndOne(graph: Graph, { values, heads }: Heads, { batch, length, valid }: Sequences): string {
  const ones = graph.once('oneForEachKey', () => {
    const one = valid === undefined ? graph.float(1) : graph.unsqueeze(valid, 2, 3);
    return graph.add('Expand', [one, graph.shape(batch, length, heads, 1)]);
  });
  const kept = valid === undefined ? values : graph.add('Mul', [values, graph.unsqueeze(valid, 2, 3)]);
  return graph.concat(3, kept, ones);
}

/**
 * Rows of sums `[…, dHead + 1]` divided by their last number, or, where rows are not normalised, multiplied.
 *
 * @param exponent the logarithm of what a row is relative to, if anything
 */
export function resultOf(
  graph: Graph,
  sums: string,
  { dHead, weight, stabiliser }: LayerFeatures,
  exponent: () => string | undefined,
): string {
  const numerators = graph.slice(sums, -1, 0, dHead);
  if (weight > 0) {
    const scale = exponent();
    const factor = scale === undefined ? weight : graph.add('Mul', [graph.add('Exp', [scale]), weight]);
    return graph.add('Mul', [numerators, factor]);
  }
  const divisor = graph.slice(sums, -1, dHead, dHead + 1);
  if (stabiliser === 0) return divide(graph, numerators, divisor);
  const isSmall = graph.add('LessOrEqual', [graph.add('Abs', [divisor]), stabiliser]);
  const lifted = graph.add('Where', [isSmall, graph.add('Add', [divisor, 2 * stabiliser]), divisor]);
  return divide(graph, numerators, lifted);
}
