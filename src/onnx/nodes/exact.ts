import type { Graph } from '../graph.ts';
import { type Heads, LOG_ZERO, mergeHeads, type Sequences } from './attention.ts';

/** What queries see, for all layers alike. */
export interface Visibility {
  /** bool, broadcast to `[batch, heads, lengthQ, lengthK]`. */
  readonly sees: string;
  /** float32, broadcast to `[batch, heads, lengthQ, dHead]`: 0 for a query that sees nothing. */
  readonly any: string;
}

/**
 * Which keys count: the valid ones that, if causal, are not after a query. The last query is at the position of the
 * last key.
 *
 * @returns undefined where every query sees every key
 */
export function visibility(
  graph: Graph,
  { length, valid }: Sequences,
  { causal, lengthK = length }: { causal: boolean; lengthK?: string },
): Visibility | undefined {
  const isValid = valid && graph.cast(graph.unsqueeze(valid, 1, 2), 'bool');
  if (!causal) {
    if (isValid === undefined || valid === undefined) return undefined;
    return { sees: isValid, any: graph.unsqueeze(graph.reduce('ReduceMax', valid, 1), 2, 3) };
  }
  const [numQueries, numKeys] = [length, lengthK].map((size) => graph.squeeze(size, 0));
  const keys = graph.add('Range', [graph.integer(0), numKeys, graph.integer(1)]);
  const first = graph.add('Sub', [numKeys, numQueries]);
  const queries = graph.add('Range', [first, numKeys, graph.integer(1)]);
  const past = graph.add('LessOrEqual', [graph.unsqueeze(keys, 0), graph.unsqueeze(queries, 1)]);
  const sees = isValid === undefined ? past : graph.add('And', [past, isValid]);
  return { sees, any: graph.reduce('ReduceMax', graph.cast(sees, 'float32'), -1) };
}

/**
 * Softmax attention. Keys and values are `[batch, heads, lengthK, dHead]`, queries `[batch, length, heads, dHead]`.
 *
 * @returns rows `[batch·length, heads·dHead]`
 */
export function exact(graph: Graph, heads: Heads, keys: string, values: string, seen: Visibility | undefined): string {
  const scaled = graph.add('Mul', [heads.queries, heads.dHead ** -0.5]);
  const queries = graph.transpose(scaled, 0, 2, 1, 3);
  const scores = graph.add('MatMul', [queries, graph.transpose(keys, 0, 1, 3, 2)]);
  const masked = seen ? graph.add('Where', [seen.sees, scores, LOG_ZERO]) : scores;
  const out = graph.add('MatMul', [graph.add('Softmax', [masked], { axis: -1 }), values]);
  return mergeHeads(graph, seen ? graph.add('Mul', [out, seen.any]) : out, heads);
}
