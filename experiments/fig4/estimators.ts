import type { FeatureOptions, ProjectionKind } from '../../src/entries/performers.ts';

type MapName = 'positive' | 'trigonometric' | 'hyperbolic' | 'favor++';

/** One line of the figure. */
export interface EstimatorLine {
  readonly name: string;
  readonly map: MapName;
  readonly projection: ProjectionKind;
}

/** The paper's four, then those that came with it or after it. */
export const estimatorLines: readonly EstimatorLine[] = [
  { name: 'trigonometric, independent', map: 'trigonometric', projection: 'gaussian' },
  { name: 'trigonometric, orthogonal', map: 'trigonometric', projection: 'orthogonal' },
  { name: 'positive, independent', map: 'positive', projection: 'gaussian' },
  { name: 'positive, orthogonal', map: 'positive', projection: 'orthogonal' },
  { name: 'hyperbolic, orthogonal', map: 'hyperbolic', projection: 'orthogonal' },
  { name: 'FAVOR++, orthogonal', map: 'favor++', projection: 'orthogonal' },
  { name: 'positive, simplex', map: 'positive', projection: 'simplex' },
  { name: 'positive, Givens', map: 'positive', projection: 'givens' },
  { name: 'positive, Hadamard', map: 'positive', projection: 'hadamard' },
];

/** Features over m directions; FAVOR++ is given the p of the inputs. */
export function featureOptions(line: EstimatorLine, numDirections: number, p: number, seed: number): FeatureOptions {
  const paired = line.map === 'trigonometric' || line.map === 'hyperbolic';
  const featureMap = line.map === 'favor++' ? { type: line.map, p } : line.map;
  return { featureMap, projection: line.projection, numFeatures: (paired ? 2 : 1) * numDirections, seed };
}
