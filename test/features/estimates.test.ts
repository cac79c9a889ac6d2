/** Bias and mean squared error of every estimator of the softmax kernel and of SMREG, against closed forms. */
import { describe, test } from 'vitest';
import {
  type EstimatorDescription,
  expectedKernel,
  meanSquaredError,
  pairOf,
} from '../../src/features/closed-forms.ts';
import { expectMean } from './statistics.ts';
import { sampleEstimates, vectorsOf } from './support.ts';

const DRAWS = 8_000;

const axis = [1, 0, 0, 0, 0, 0, 0, 0];
const oblique = [0.3, -0.2, 0.5, 0.1, 0.4, -0.6, 0.2, 0.1];
/** ‖x + y‖² of 1.5, and of 0.2 where squared errors have lighter tails and are compared too. */
const pairsAlong = (direction: number[]) => [vectorsOf(direction, 1.5, 0.7), vectorsOf(direction, 0.2, 0.9)];

const maps: EstimatorDescription['featureMap'][] = [
  { type: 'positive' },
  { type: 'hyperbolic' },
  { type: 'smreg' },
  { type: 'trigonometric', stabiliser: 0 },
  { type: 'favor++', p: 0.1 },
];

/** A whole block of 8 rows and a cut one, or two for the heaviest tails. */
function describeEstimator(
  featureMap: EstimatorDescription['featureMap'],
  projection: EstimatorDescription['projection'],
): EstimatorDescription {
  const { type } = featureMap;
  const numFeatures = type === 'hyperbolic' ? 2 * 20 : type === 'trigonometric' ? 2 * 12 : 12;
  return { featureMap, projection, numFeatures };
}

describe.each(['gaussian', 'orthogonal', 'simplex', 'givens', 'hadamard'] as const)('%s', (projection) => {
  // Givens and Hadamard directions are not exactly uniform: any axis counts, and errors are near those of Haar blocks.
  const isHaar = !['givens', 'hadamard'].includes(projection);
  const pairs = isHaar ? pairsAlong(axis) : [...pairsAlong(axis), vectorsOf(oblique, 0.2, 0.9)];
  const slack = { givens: 0.03, hadamard: 0.1 }[projection as string] ?? 0;

  test.each(maps)('$type: unbiased, with the mean squared error of the closed form', (featureMap) => {
    const estimator = describeEstimator(featureMap, projection);
    const samples = sampleEstimates(estimator, pairs, DRAWS);
    pairs.forEach(([x, y], i) => {
      const pair = pairOf(x, y);
      const kernel = expectedKernel(estimator, pair);
      expectMean(samples[i], kernel);
      if (pair.squaredSum > 1) return;
      const squares = samples[i].map((value) => (value - kernel) ** 2);
      const oracle = meanSquaredError(estimator, pair);
      expectMean(squares, oracle, slack * oracle);
    });
  });
});
