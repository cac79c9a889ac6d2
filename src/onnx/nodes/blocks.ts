import type { TransformerConfiguration } from '../../model/configuration.ts';
import type { Graph } from '../graph.ts';
import type { Weights } from '../weights.ts';
import type { Heads } from './attention.ts';
import { activation, layerNorm, linear } from './layers.ts';
import { type RotaryTables, rotate } from './positions.ts';

/** What the attention of one layer makes of its heads: rows `[batch·length, dModel]`. */
type Attend = (layer: number, heads: Heads) => string;

/** What all blocks of a graph share. */
export interface BlockContext {
  readonly weights: Weights;
  readonly configuration: TransformerConfiguration;
  /** Vectors of one number. */
  readonly batch: string;
  readonly length: string;
  readonly rotary: RotaryTables | undefined;
  readonly attend: Attend;
}

/** A model's depth: rows `[batch·length, dModel]` → the same, after the final norm. */
export function stack(graph: Graph, context: BlockContext, x: string): string {
  const { weights, configuration } = context;
  const { numLayers, reversible, norm, layerNormEpsilon } = configuration;
  const layers = Array.from({ length: numLayers }, (_, layer) => layer);
  const deep = reversible
    ? reversibleStack(graph, context, layers, x)
    : layers.reduce((given, layer) => block(graph, context, layer, given), x);
  return norm === 'pre' ? layerNorm(graph, weights, deep, 'norm', layerNormEpsilon) : deep;
}

function block(graph: Graph, context: BlockContext, layer: number, x: string): string {
  return parts(graph, context, layer).reduce((given, { normalise, residual }) => {
    if (context.configuration.norm === 'post') return normalise(graph.add('Add', [given, residual(given)]));
    return graph.add('Add', [given, residual(normalise(given))]);
  }, x);
}

/** Two streams that start as the input; the result is their mean. */
function reversibleStack(graph: Graph, context: BlockContext, layers: readonly number[], x: string): string {
  let [first, second] = [x, x];
  for (const layer of layers) {
    const [attention, feedForward] = parts(graph, context, layer);
    first = graph.add('Add', [first, attention.residual(attention.normalise(second))]);
    second = graph.add('Add', [second, feedForward.residual(feedForward.normalise(first))]);
  }
  return graph.add('Mul', [graph.add('Add', [first, second]), 0.5]);
}

/** The two residual parts of a block, each with its norm. */
function parts(graph: Graph, context: BlockContext, layer: number) {
  const { weights, configuration } = context;
  const name = `blocks.${layer}`;
  const part = (norm: string, residual: (x: string) => string) => ({
    normalise: (x: string) => layerNorm(graph, weights, x, `${name}.${norm}`, configuration.layerNormEpsilon),
    residual,
  });
  return [
    part('attentionNorm', (x) => multiHeadAttention(graph, context, layer, x)),
    part('feedForwardNorm', (x) => {
      const inner = linear(graph, weights, x, `${name}.feedForward.expand`);
      return linear(graph, weights, activation(graph, configuration.activation, inner), `${name}.feedForward.contract`);
    }),
  ] as const;
}

function multiHeadAttention(graph: Graph, context: BlockContext, layer: number, x: string): string {
  const { weights, configuration, batch, length, rotary, attend } = context;
  const { dModel, numHeads } = configuration;
  const name = `blocks.${layer}.attention`;
  const dHead = dModel / numHeads;
  const shape = graph.once('headShape', () => graph.shape(batch, length, numHeads, dHead));
  const split = (part: string) => graph.add('Reshape', [linear(graph, weights, x, `${name}.${part}`), shape]);
  const turn = (heads: string) => (rotary ? rotate(graph, heads, rotary) : heads);
  const heads = {
    queries: turn(split('query')),
    keys: turn(split('key')),
    values: split('value'),
    heads: numHeads,
    dHead,
  };
  return linear(graph, weights, attend(layer, heads), `${name}.output`);
}
