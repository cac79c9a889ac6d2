/** What is read off a model's hidden states, as nodes. */
import type { TransformerConfiguration } from '../../model/configuration.ts';
import type { Pooling } from '../../model/layers/pooling.ts';
import type { Graph } from '../graph.ts';
import type { Weights } from '../weights.ts';
import { activation, layerNorm, linear, multiplyByWeight } from './layers.ts';

/** Rows `[rows, dModel]` → logits over tokens `[rows, vocabSize]`. */
export function tokenLogits(
  graph: Graph,
  weights: Weights,
  configuration: TransformerConfiguration,
  rows: string,
): string {
  const { outputTransform, tiedEmbeddings, layerNormEpsilon } = configuration;
  let given = rows;
  if (outputTransform) {
    const inner = activation(graph, configuration.activation, linear(graph, weights, given, 'outputTransform.linear'));
    given = layerNorm(graph, weights, inner, 'outputTransform.norm', layerNormEpsilon);
  }
  return multiplyByWeight(graph, weights, given, tiedEmbeddings ? 'tokens.weight' : 'output.weight', 'output.bias');
}

/** Hidden states and which of their positions count. */
export interface PooledInput {
  /** `[batch, length, dModel]` */
  readonly hidden: string;
  /** float32 `[batch, length]` */
  readonly valid: string;
  /** A vector of one number. */
  readonly length: string;
}

/** One vector for each sequence, `[batch, dModel]`; zeros where no position is valid. */
function pool(graph: Graph, { hidden, valid, length }: PooledInput, pooling: Pooling): string {
  let shares: string;
  if (pooling === 'mean') {
    const total = graph.add('ReduceSum', [valid, graph.integers(1)], { keepdims: 1 });
    shares = graph.add('Div', [valid, graph.add('Max', [total, 1])]);
  } else {
    const select_last_index = pooling === 'last' ? 1 : 0;
    const chosen = graph.add('ArgMax', [valid], { axis: 1, keepdims: 1, select_last_index });
    const positions = graph.add('Range', [graph.integer(0), graph.squeeze(length, 0), graph.integer(1)]);
    shares = graph.add('Mul', [graph.cast(graph.add('Equal', [positions, chosen]), 'float32'), valid]);
  }
  return graph.squeeze(graph.add('MatMul', [graph.unsqueeze(shares, 1), hidden]), 1);
}

/** BERT's pooler over the first valid position: `[batch, dModel]`. */
export function poolerOutput(graph: Graph, weights: Weights, input: PooledInput): string {
  return graph.add('Tanh', [linear(graph, weights, pool(graph, input, 'first'), 'pooler')]);
}

/** `[batch, numClasses]` */
export function classLogits(
  graph: Graph,
  weights: Weights,
  { pooler, pooling }: TransformerConfiguration,
  input: PooledInput,
): string {
  const read = pooler ? poolerOutput(graph, weights, input) : pool(graph, input, pooling ?? 'mean');
  return linear(graph, weights, read, 'classifier');
}
