/** From a model's inputs to the vectors that its first block takes, as nodes. */
import type { TransformerConfiguration } from '../../model/configuration.ts';
import type { Graph } from '../graph.ts';
import type { Weights } from '../weights.ts';
import { layerNorm } from './layers.ts';
import { sinusoids } from './positions.ts';

/** Names of what a graph is given. */
interface TokenInputs {
  /** int64 `[batch, length]` */
  readonly ids: string;
  /** int64 `[batch, length]`, where the model has token types. */
  readonly tokenTypes: string | undefined;
  /** int64 `[batch or 1, length]` */
  readonly positions: string;
  /** float32 `[batch, length]`: 1 = valid, 0 = padding. */
  readonly valid: string;
}

/** @returns rows `[batch·length, dModel]` */
export function embedTokens(
  graph: Graph,
  weights: Weights,
  configuration: TransformerConfiguration,
  inputs: TokenInputs,
): string {
  const { dModel, positions, tokenDropout } = configuration;
  const gather = (name: string, ids: string) => graph.add('Gather', [weights.use(graph, name), ids], { axis: 0 });
  let x = gather('tokens.weight', inputs.ids);
  if (tokenDropout) x = graph.add('Mul', [x, tokenScales(graph, tokenDropout, inputs)]);
  if (inputs.tokenTypes !== undefined) x = graph.add('Add', [x, gather('tokenTypes.weight', inputs.tokenTypes)]);
  if (positions === 'learned') x = graph.add('Add', [x, gather('positions.weight', inputs.positions)]);
  if (positions === 'sinusoidal') x = graph.add('Add', [x, sinusoids(graph, inputs.positions, dModel)]);
  // Zeros at padding, as `TokenEmbedding` has them: selected, so that a NaN of padding reaches nothing.
  x = graph.add('Where', [graph.add('Greater', [graph.unsqueeze(inputs.valid, 2), 0]), x, 0]);
  return normalise(graph, weights, configuration, graph.reshape(x, -1, dModel));
}

/** ESM-2's: 0 at mask tokens, (1 − ratio)/(1 − share of mask tokens) elsewhere. `[batch, length, 1]` */
function tokenScales(
  graph: Graph,
  { maskToken, ratio }: NonNullable<TransformerConfiguration['tokenDropout']>,
  { ids, valid }: TokenInputs,
): string {
  const masked = graph.cast(graph.add('Equal', [ids, graph.integer(maskToken)]), 'float32');
  const count = (flags: string) => graph.add('ReduceSum', [flags, graph.integers(1)], { keepdims: 1 });
  const [numMasked, numTokens] = [count(masked), count(valid)];
  // (1 − ratio)/(1 − masked/tokens) = (1 − ratio)·tokens/(tokens − masked)
  const rest = graph.add('Sub', [numTokens, numMasked]);
  const some = graph.add('Greater', [rest, 0]);
  const scale = graph.add('Div', [graph.add('Mul', [numTokens, 1 - ratio]), graph.add('Where', [some, rest, 1])]);
  const kept = graph.add('Mul', [graph.add('Where', [some, scale, 0]), graph.add('Sub', [1, masked])]);
  return graph.unsqueeze(kept, 2);
}

/**
 * @param pixels float32 `[batch, channels, imageSize, imageSize]`
 * @param batch a vector of one number
 * @returns rows `[batch·(1 + numPatches), dModel]`
 */
export function embedImages(
  graph: Graph,
  weights: Weights,
  configuration: TransformerConfiguration & { readonly patches: NonNullable<TransformerConfiguration['patches']> },
  pixels: string,
  batch: string,
): string {
  const { dModel, patches } = configuration;
  const { patchSize, channels } = patches;
  const kernel = graph.reshape(weights.use(graph, 'patches.weight'), dModel, channels, patchSize, patchSize);
  const strides = [patchSize, patchSize];
  const cut = graph.add('Conv', [pixels, kernel, weights.use(graph, 'patches.bias')], {
    strides,
    kernel_shape: strides,
  });
  const vectors = graph.transpose(graph.reshape(cut, batch, dModel, -1), 0, 2, 1);
  const classToken = graph.add('Expand', [weights.use(graph, 'classToken.weight'), graph.shape(batch, 1, dModel)]);
  const x = graph.add('Add', [graph.concat(1, classToken, vectors), weights.use(graph, 'positions.weight')]);
  return normalise(graph, weights, configuration, graph.reshape(x, -1, dModel));
}

function normalise(graph: Graph, weights: Weights, configuration: TransformerConfiguration, x: string): string {
  if (!configuration.embeddingNorm) return x;
  return layerNorm(graph, weights, x, 'embeddingNorm', configuration.layerNormEpsilon);
}
