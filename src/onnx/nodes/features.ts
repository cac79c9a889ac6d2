import type { Estimator, FeatureMapKind } from '../../backend/types.ts';
import { ConfigurationError } from '../../base/errors.ts';
import { Random } from '../../base/random.ts';
import type { FeatureConfiguration } from '../../features/configuration.ts';
import { drawFeatures } from '../../features/draw-features.ts';
import type { Graph } from '../graph.ts';
import type { Weights } from '../weights.ts';
import { activation } from './layers.ts';

/** The features of one layer of FAVOR+, in a graph. */
export interface LayerFeatures {
  readonly map: FeatureMapKind;
  readonly numFeatures: number;
  readonly dHead: number;
  /** `[dHead, numFeatures]`: Wᵀ·dHead^(−1/4), for `u = x Wᵀ`. */
  readonly directions: string;
  /** `[numFeatures]`, added to u. */
  readonly bias: string | undefined;
  readonly epsilon: number;
  readonly stabiliser: number;
  /** 0: rows are divided by their sums. Otherwise K(x, y) ≈ weight·Σ_r φ_r(x) φ_r(y). */
  readonly weight: number;
}

/** @param name of the layer's attention, such as `blocks.0.attention` */
export function layerFeatures(
  graph: Graph,
  weights: Weights,
  name: string,
  configuration: FeatureConfiguration & { readonly normalised?: boolean },
  dHead: number,
): LayerFeatures {
  // Only the numbers depend on the seed; those come from the model.
  const drawn = drawFeatures(configuration, dHead, new Random(0));
  const estimator: Estimator = drawn;
  const projection = weights.useProjection(graph, `${name}.projection`, estimator, dHead);
  const scaled = graph.add('Mul', [projection, dHead ** -0.25]);
  return {
    map: drawn.map,
    numFeatures: drawn.numFeatures,
    dHead,
    directions: graph.transpose(scaled, 1, 0),
    bias: drawn.bias && weights.use(graph, `${name}.bias`),
    epsilon: drawn.epsilon,
    stabiliser: drawn.stabiliser,
    weight: (configuration.normalised ?? true) ? 0 : drawn.weight,
  };
}

/** u = W x̂ + b of every row: `[…, dHead]` → `[…, numFeatures]`. */
export function project(graph: Graph, x: string, { directions, bias }: LayerFeatures): string {
  const u = graph.add('MatMul', [x, directions]);
  return bias === undefined ? u : graph.add('Add', [u, bias]);
}

/** D = ‖x̂‖²/2 of every row: `[…, dHead]` → `[…, 1]`. */
export function halfNorm(graph: Graph, x: string, { dHead }: LayerFeatures): string {
  return graph.add('Mul', [graph.reduce('ReduceSumSquare', x, -1), 0.5 / Math.sqrt(dHead)]);
}

/** The part of the features of u that is not an exponential: sin(u), or f(u) + epsilon. */
export function mantissas(graph: Graph, u: string, { map, epsilon }: LayerFeatures): string {
  if (map === 'sine') return graph.add('Sin', [u]);
  const value = applyMap(graph, map, u);
  return epsilon === 0 ? value : graph.add('Add', [value, epsilon]);
}

function applyMap(graph: Graph, map: FeatureMapKind, u: string): string {
  switch (map) {
    case 'relu':
    case 'gelu':
    case 'tanh':
      return activation(graph, map, u);
    case 'exp':
    case 'sigmoid':
    case 'abs':
    case 'cos':
      return graph.add({ exp: 'Exp', sigmoid: 'Sigmoid', abs: 'Abs', cos: 'Cos' }[map], [u]);
    case 'identity':
      return u;
    case 'square':
      return graph.add('Mul', [u, u]);
    case 'eluPlusOne':
      return graph.add('Add', [graph.add('Elu', [u]), 1]);
    default:
      throw new ConfigurationError(`The feature map ${map} has no form of f(u) + epsilon.`);
  }
}
