import type { Graph } from '../graph.ts';

/** Sizes of a layer's heads. */
interface HeadSizes {
  readonly heads: number;
  readonly dHead: number;
}

/** Queries, keys and values `[batch, length, heads, dHead]`, after rotary positions. */
export interface Heads extends HeadSizes {
  readonly queries: string;
  readonly keys: string;
  readonly values: string;
}

/** The sequences of a batch, which the attentions of all layers share in one graph. */
export interface Sequences {
  /** Vectors of one number. */
  readonly batch: string;
  readonly length: string;
  /** float32 `[batch, length]`: 1 = valid, 0 = padding. Undefined: all are valid. */
  readonly valid: string | undefined;
}

/** Additive stand-in for the logarithm of 0: finite, so that differences of two of them are no NaN. */
export const LOG_ZERO = -1e30;

/** (1 − valid)·LOG_ZERO, shaped like `valid`. */
export function penalty(graph: Graph, valid: string): string {
  return graph.add('Mul', [graph.add('Sub', [1, valid]), LOG_ZERO]);
}

/** `numerators / denominators`, zeros where a denominator is 0. */
export function divide(graph: Graph, numerators: string, denominators: string): string {
  const isZero = graph.add('Equal', [denominators, 0]);
  return graph.add('Div', [numerators, graph.add('Where', [isZero, 1, denominators])]);
}

/** `[batch, heads, length, dHead]` → rows `[batch·length, heads·dHead]`. */
export function mergeHeads(graph: Graph, x: string, { heads, dHead }: HeadSizes): string {
  return graph.reshape(graph.transpose(x, 0, 2, 1, 3), -1, heads * dHead);
}
