/** Statistical checks with a failure probability below 1e-6 on right code. */
import { expect } from 'vitest';

export interface Sample {
  readonly count: number;
  readonly mean: number;
  readonly standardError: number;
  readonly skewness: number;
}

export function sampleOf(values: ArrayLike<number>): Sample {
  const count = values.length;
  const moment = (power: number, centre: number) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += (values[i] - centre) ** power;
    return sum / count;
  };
  const mean = moment(1, 0);
  const variance = moment(2, mean);
  const skewness = moment(3, mean) / variance ** 1.5;
  return { count, mean, standardError: Math.sqrt(variance / count), skewness };
}

/** Standard errors between mean and expectation beyond which a check rejects. */
export const BOUND = 6;

/**
 * How many standard errors the mean is off `expected`, `tolerance` left out. On right code the result passes {@link
 * BOUND} with probability 2·Φ(−6) = 2e-9 times, for skewed samples, about exp(skewness·6³/(3√n)) (Edgeworth, Student's
 * ratio). The product is below 1e-6 where that factor is at most e⁶.
 *
 * @throws when the sample is too small for its skewness.
 */
export function deviation(values: ArrayLike<number>, expected: number, tolerance = 0): number {
  const { count, mean, standardError, skewness } = sampleOf(values);
  if (Math.abs(skewness) > Math.sqrt(count) / 12) {
    throw new Error(`deviation: a sample of skewness ${skewness.toFixed(1)} needs more than ${count} values.`);
  }
  return Math.max(0, Math.abs(mean - expected) - tolerance) / standardError;
}

export function expectMean(values: ArrayLike<number>, expected: number, tolerance = 0): void {
  expect(deviation(values, expected, tolerance)).toBeLessThan(BOUND);
}

/**
 * Kolmogorov and Smirnov's √n·D against a distribution function; above 2.7 with probability 2·exp(−2·2.7²) = 9.3e-7.
 */
export function kolmogorovSmirnov(values: readonly number[], distribution: (x: number) => number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const gaps = sorted.map((x, i) => {
    const below = distribution(x);
    return Math.max(below - i / sorted.length, (i + 1) / sorted.length - below);
  });
  return Math.sqrt(sorted.length) * Math.max(...gaps);
}

export const KOLMOGOROV_BOUND = 2.7;

/** P(χ_d ≤ x): the regularised lower incomplete gamma function at d/2, x²/2, by its series. */
export function chiDistribution(d: number): (x: number) => number {
  return (x) => {
    const [a, z] = [d / 2, x ** 2 / 2];
    let [term, sum] = [1 / a, 1 / a];
    for (let k = 1; term > 1e-16 * sum; k++) {
      term *= z / (a + k);
      sum += term;
    }
    return Math.exp(a * Math.log(z) - z - logGamma(a)) * sum;
  };
}

/** log Γ of a positive multiple of ½. */
function logGamma(a: number): number {
  if (a === 0.5) return Math.log(Math.PI) / 2;
  return a === 1 ? 0 : Math.log(a - 1) + logGamma(a - 1);
}
