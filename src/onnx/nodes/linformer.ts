import type { Graph } from '../graph.ts';
import type { Weights } from '../weights.ts';
import type { Heads, Places } from './attention.ts';
import { exact } from './exact.ts';

/** Exact attention to mixtures of the valid keys and values. @param name of the layer's attention */
export function linformer(graph: Graph, weights: Weights, name: string, heads: Heads, places: Places): string {
  const mix = (x: string, projection: string) => {
    const kept = places.valid === undefined ? x : graph.add('Mul', [x, graph.unsqueeze(places.valid, 2, 3)]);
    const columns = graph.slice(weights.use(graph, `${name}.${projection}`), -1, 0, places.length);
    return graph.add('MatMul', [columns, graph.transpose(kept, 0, 2, 1, 3)]);
  };
  return exact(graph, heads, mix(heads.keys, 'keyProjection'), mix(heads.values, 'valueProjection'), undefined);
}
