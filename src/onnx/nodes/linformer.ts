import type { Graph } from '../graph.ts';
import type { Weights } from '../weights.ts';
import type { Heads, Sequences } from './attention.ts';
import { exact } from './exact.ts';

/** Exact attention to mixtures of the valid keys and values. @param name of the layer's attention */
export function linformer(graph: Graph, weights: Weights, name: string, heads: Heads, sequences: Sequences): string {
  const mix = (x: string, projection: string) => {
    const kept = sequences.valid === undefined ? x : graph.add('Mul', [x, graph.unsqueeze(sequences.valid, 2, 3)]);
    const columns = graph.slice(weights.use(graph, `${name}.${projection}`), -1, 0, sequences.length);
    return graph.add('MatMul', [columns, graph.transpose(kept, 0, 2, 1, 3)]);
  };
  return exact(graph, heads, mix(heads.keys, 'keyProjection'), mix(heads.values, 'valueProjection'), undefined);
}
