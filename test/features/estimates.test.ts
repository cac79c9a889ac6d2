/** Bias and mean squared error of every estimator of the softmax kernel and of SMREG, against closed forms. */
import { describe, expect, test } from 'vitest';
import {
  type EstimatorDescription,
  expectedKernel,
  meanSquaredError,
  pairOf,
} from '../../src/features/closed-forms.ts';
import { BOUND, deviation, expectMean } from './statistics.ts';
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

// At ‖x + y‖² = 0.2 the errors of these maps over orthogonal and over independent directions are too near each other
// for 8,000 draws. Here, with m = d = 8, they are 12 % and more apart, 11 standard errors and more. Other draws of
// right code would come below 6 with a probability of 3e-7 at most.
describe('‖x + y‖² = 0.5: errors over orthogonal directions are told from those over independent ones', () => {
  const draws = { positive: 60_000, smreg: 20_000, 'favor++': 20_000 };
  const structured = ['orthogonal', 'givens', 'hadamard'] as const;
  const told = maps
    .filter(({ type }) => type in draws)
    .flatMap((featureMap) =>
      (['gaussian', ...structured] as const).map((projection) => ({ ...featureMap, featureMap, projection })),
    );

  test.each(told)('$type, $projection', ({ type, featureMap, projection }) => {
    const [x, y] = vectorsOf(axis, 0.5, 0.9);
    const pair = pairOf(x, y);
    const estimator = { featureMap, projection, numFeatures: 8 };
    const [sample] = sampleEstimates(estimator, [[x, y]], draws[type as keyof typeof draws]);
    const kernel = expectedKernel(estimator, pair);
    const squares = sample.map((value) => (value - kernel) ** 2);
    const oracle = meanSquaredError(estimator, pair);
    const other = meanSquaredError(
      { ...estimator, projection: projection === 'gaussian' ? 'orthogonal' : 'gaussian' },
      pair,
    );
    const slack = { givens: 0.03, hadamard: 0.03 }[projection as string] ?? 0;
    expectMean(squares, oracle, slack * oracle);
    expect(deviation(squares, other, slack * oracle)).toBeGreaterThan(BOUND);
  });
});
