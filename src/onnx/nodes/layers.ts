/** Layers as nodes, over rows `[batch·length, width]`. */
import type { ActivationKind } from '../../backend/types.ts';
import type { Graph } from '../graph.ts';
import type { Weights } from '../weights.ts';

/** `x Wᵀ + b`, b only where the model has it. */
export function linear(graph: Graph, weights: Weights, x: string, name: string): string {
  return multiplyByWeight(graph, weights, x, `${name}.weight`, `${name}.bias`);
}

/** `x Wᵀ + b` with each under a name of its own. */
export function multiplyByWeight(graph: Graph, weights: Weights, x: string, weight: string, bias: string): string {
  const inputs = [x, weights.use(graph, weight)];
  if (weights.has(bias)) inputs.push(weights.use(graph, bias));
  return graph.add('Gemm', inputs, { transB: 1 });
}

export function layerNorm(graph: Graph, weights: Weights, x: string, name: string, epsilon: number): string {
  const inputs = [x, weights.use(graph, `${name}.weight`), weights.use(graph, `${name}.bias`)];
  return graph.add('LayerNormalization', inputs, { axis: -1, epsilon: { float: epsilon } });
}

/** In the forms that runtimes recognise and fuse. */
export function activation(graph: Graph, kind: ActivationKind, x: string): string {
  switch (kind) {
    case 'relu':
      return graph.add('Relu', [x]);
    case 'tanh':
      return graph.add('Tanh', [x]);
    case 'gelu':
      return gelu(graph, x, graph.add('Erf', [graph.add('Div', [x, Math.SQRT2])]));
    case 'geluTanh': {
      const cubic = graph.add('Mul', [graph.add('Pow', [x, 3]), 0.044715]);
      const inner = graph.add('Mul', [graph.add('Add', [x, cubic]), Math.sqrt(2 / Math.PI)]);
      return gelu(graph, x, graph.add('Tanh', [inner]));
    }
  }
}

/** x·(1 + t)/2 */
function gelu(graph: Graph, x: string, t: string): string {
  return graph.add('Mul', [graph.add('Mul', [x, graph.add('Add', [t, 1])]), 0.5]);
}
