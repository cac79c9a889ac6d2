/** The closed forms against the formulas of the paper, other ways to compute them, and the paper's theorems. */
import { describe, expect, test } from 'vitest';
import {
  type EstimatorDescription,
  expectedKernel,
  hypergeometric0F1,
  hypergeometric1F1,
  meanSquaredError,
  orthogonalGain,
  type Pair,
  pairAtAngle,
  pairOf,
  regularisedSoftmaxKernel,
  softmaxKernel,
} from '../../src/features/closed-forms.ts';
import { deviation } from './statistics.ts';
import { sampleEstimates, vectorsOf } from './support.ts';

type Estimator = EstimatorDescription;
const positive = { type: 'positive' } as const;
const hyperbolic = { type: 'hyperbolic' } as const;
const trigonometric = { type: 'trigonometric', stabiliser: 0 } as const;
const smreg = { type: 'smreg' } as const;

const grid: Pair[] = [3, 8, 64].flatMap((dHead) =>
  [0.1, 0.7, 1.5].flatMap((squaredSum) =>
    [0, 0.4, 1.3].map((squaredDifference) => ({ dHead, squaredSum, squaredDifference })),
  ),
);

function expectRatio(value: number, expected: number, digits = 11): void {
  if (expected === 0) expect(value).toBeCloseTo(0, digits);
  else expect(value / expected).toBeCloseTo(1, digits);
}

const error = (featureMap: Estimator['featureMap'], projection: Estimator['projection'], m: number, pair: Pair) =>
  meanSquaredError({ featureMap, projection, numFeatures: m }, pair);

describe('series', () => {
  test('hypergeometric functions of known form', () => {
    expectRatio(hypergeometric0F1(1 / 2, 2.25 / 4), Math.cosh(1.5));
    expectRatio(hypergeometric0F1(3 / 2, 2.25 / 4), Math.sinh(1.5) / 1.5);
    expectRatio(hypergeometric1F1(2.5, 2.5, 3), Math.exp(3));
    expectRatio(hypergeometric1F1(1, 2, 3), Math.expm1(3) / 3);
    expectRatio(hypergeometric1F1(1, 2, -3), Math.expm1(-3) / -3);
  });
});

describe('mean squared errors as the paper and its extensions write them', () => {
  test.each(grid)('iid, $dHead, $squaredSum, $squaredDifference', (pair) => {
    const { squaredSum: z, squaredDifference: delta } = pair;
    const sm = softmaxKernel(pair);
    const ofPositive = (Math.exp(z) * sm ** 2 * (1 - Math.exp(-z))) / 5;
    expectRatio(error(positive, 'gaussian', 5, pair), ofPositive);
    expectRatio(error(hyperbolic, 'gaussian', 10, pair), (ofPositive * (1 - Math.exp(-z))) / 2);
    const ofTrigonometric = (Math.exp(z) * sm ** -2 * (1 - Math.exp(-delta)) ** 2) / 10;
    expectRatio(error(trigonometric, 'gaussian', 10, pair), ofTrigonometric);
    expectRatio(error({ type: 'favor++', p: 0 }, 'gaussian', 5, pair), ofPositive);
  });

  test.each(grid)('orthogonal, $dHead, $squaredSum, $squaredDifference', (pair) => {
    const { dHead: d, squaredSum: z, squaredDifference: delta } = pair;
    const m = 3;
    const norms = Math.exp((z + delta) / 2);
    const rho = hypergeometric1F1(d, d / 2, z / 2) - Math.exp(z);
    expectRatio(error(positive, 'orthogonal', m, pair), (Math.exp(2 * z) - Math.exp(z) + 2 * rho) / (m * norms), 9);
    expectRatio(error(hyperbolic, 'orthogonal', 2 * m, pair), (Math.expm1(z) ** 2 / 2 + 2 * rho) / (m * norms), 9);
    const cosines = hypergeometric1F1(d, d / 2, -delta / 2) - Math.exp(-delta);
    expectRatio(
      error(trigonometric, 'orthogonal', 2 * m, pair),
      (norms * (Math.expm1(-delta) ** 2 / 2 + 2 * cosines)) / m,
      9,
    );
    const f = (t: number) => hypergeometric0F1(d / 2, t);
    const ofSmreg = f(d * z) + 2 * f((d * z) / 2) - m * f((d * z) / 4) ** 2;
    expectRatio(error(smreg, 'orthogonal', m, pair), ofSmreg / (m * norms), 9);
    expectRatio(error(positive, 'orthogonal', 4 * d, pair) * 4, error(positive, 'orthogonal', d, pair));
  });

  test('simplex: the pair of lengths integrated numerically', () => {
    for (const d of [5, 8]) {
      const pair = { dHead: d, squaredSum: 1.2, squaredDifference: 0.8 };
      const m = 2;
      const cosine = -1 / (d - 1);
      const both = (c: number, square: number) =>
        overLengths(d, (a, b) => hypergeometric0F1(d / 2, (square * (a * a + b * b + 2 * a * b * c)) / 4));
      const norms = Math.exp(1);
      const covariance = both(cosine, 1.2) - Math.exp(1.2);
      const ofPositive = (Math.exp(2.4) - Math.exp(1.2) + covariance) / (m * norms);
      expectRatio(error(positive, 'simplex', m, pair), ofPositive, 6);
      const cosines = (both(cosine, -0.8) + both(-cosine, -0.8)) / 2 - Math.exp(-0.8);
      const ofTrigonometric = (norms * (Math.expm1(-0.8) ** 2 / 2 + cosines)) / m;
      expectRatio(error(trigonometric, 'simplex', 2 * m, pair), ofTrigonometric, 6);
    }
  });

  test('the order at m = d = 8: simplex below orthogonal below iid, as paper.md measured', () => {
    const pair = { dHead: 8, squaredSum: 1.2, squaredDifference: 0 };
    const [iid, orthogonal, simplex] = (['gaussian', 'orthogonal', 'simplex'] as const).map(
      (projection) => error(positive, projection, 8, pair) * Math.exp(0.6),
    );
    expect(simplex).toBeLessThan(0.6 * orthogonal);
    expect(orthogonal).toBeLessThan(0.9 * iid);
  });

  test('padded Hadamard rows have the errors of the padded width', () => {
    const pair = { dHead: 5, squaredSum: 1, squaredDifference: 0.5 };
    const padded = { ...pair, dHead: 8 };
    expect(error(positive, 'hadamard', 8, pair)).toBe(error(positive, 'orthogonal', 8, padded));
    const estimator = { featureMap: smreg, projection: 'hadamard', numFeatures: 8 } as const;
    expect(expectedKernel(estimator, pair)).toBe(regularisedSoftmaxKernel(padded));
    expect(() => error({ type: 'favor++', p: 0.1 }, 'hadamard', 8, pair)).toThrow('needs dHead a power of two; got 5');
  });

  test('Figure 2: the ratio of trigonometric to positive errors', () => {
    for (const length of [0.3, 1, 1.7]) {
      for (const angle of [0, 0.4, 1.5, -2.8]) {
        const [plus, minus] = [1 + Math.cos(angle), 1 - Math.cos(angle)];
        const l2 = length ** 2;
        const r =
          (0.5 * Math.exp(-4 * l2 * Math.cos(angle)) * (1 - Math.exp(-2 * l2 * minus)) ** 2) /
          (1 - Math.exp(-2 * l2 * plus));
        const pair = pairAtAngle(16, length, angle);
        expectRatio(error(trigonometric, 'gaussian', 2, pair) / error(positive, 'gaussian', 1, pair), r);
      }
    }
  });

  test('pairs', () => {
    expect(pairOf([1, 2], [3, -1])).toEqual({ dHead: 2, squaredSum: 17, squaredDifference: 13 });
    expectRatio(softmaxKernel(pairOf([0.3, 0.2], [0.5, -0.1])), Math.exp(0.13));
    const atAngle = pairAtAngle(2, 2, 0.7);
    const vectors = pairOf([2, 0], [2 * Math.cos(0.7), 2 * Math.sin(0.7)]);
    expectRatio(atAngle.squaredSum, vectors.squaredSum);
    expectRatio(atAngle.squaredDifference, vectors.squaredDifference);
  });
});

/** E f(a, b) over independent χ_d lengths, by the trapezoidal rule. */
function overLengths(d: number, f: (a: number, b: number) => number): number {
  const steps = 160;
  const top = Math.sqrt(d) + 8;
  const nodes = Array.from({ length: steps }, (_, i) => ((i + 1) * top) / steps);
  const density = nodes.map((a) => a ** (d - 1) * Math.exp((-a * a) / 2));
  const mass = density.reduce((sum, value) => sum + value, 0);
  let sum = 0;
  nodes.forEach((a, i) => {
    nodes.forEach((b, j) => {
      sum += density[i] * density[j] * f(a, b);
    });
  });
  return sum / mass ** 2;
}

describe('theorems', () => {
  test('SMREG ≤ SM, and by no more than 2/d^(1/3)', () => {
    for (const d of [2, 8, 27, 64, 125, 512, 1000]) {
      for (const share of [0.01, 0.5, 1, 2]) {
        const pair = { dHead: d, squaredSum: share * Math.cbrt(d), squaredDifference: 0.5 };
        const ratio = regularisedSoftmaxKernel(pair) / softmaxKernel(pair);
        expect(ratio).toBeLessThan(1);
        expect(ratio).toBeGreaterThan(1 - 2 / Math.cbrt(d));
      }
    }
  });

  test('orthogonal rows save at least 2(m−1)/(m(d+2))·(SM − e^{−X/2})², in closed form', () => {
    for (const pair of [...grid, { dHead: 16, squaredSum: 6, squaredDifference: 2 }]) {
      for (const m of [2, 3, pair.dHead]) {
        const saved = error(positive, 'gaussian', m, pair) - error(positive, 'orthogonal', m, pair);
        expect(saved).toBeGreaterThan(orthogonalGain(m, pair) * (1 - 1e-9));
        // The bound is the first term of a series. At small ‖x + y‖ the first term is the whole series, which leaves no
        // room for a wrong constant.
        if (pair.squaredSum < 0.2) expect(saved).toBeLessThan(1.2 * orthogonalGain(m, pair));
      }
    }
  });

  test('the same, sampled: d = m = 8, 20,000 draws each', () => {
    const [x, y] = vectorsOf([0.3, -0.2, 0.5, 0.1, 0.4, -0.6, 0.2, 0.1], 0.5, 0.3);
    const pair = pairOf(x, y);
    const squares = (projection: Estimator['projection']) => {
      const [sample] = sampleEstimates({ projection, numFeatures: 8 }, [[x, y]], 20_000);
      return sample.map((value) => (value - softmaxKernel(pair)) ** 2);
    };
    const [iid, orthogonal] = [squares('gaussian'), squares('orthogonal')];
    const saved = iid.map((value, i) => value - orthogonal[i]);
    const mean = saved.reduce((sum, value) => sum + value / saved.length, 0);
    expect(mean).toBeGreaterThan(0);
    expect(deviation(saved, 0)).toBeGreaterThan(6);
    expect(deviation(saved, orthogonalGain(8, pair))).toBeLessThan(6);
  });
});
