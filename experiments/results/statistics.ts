import * as statistics from 'simple-statistics';

/** An estimate with its 95 % confidence interval. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export const confidence = 0.95;

export const mean = (values: ArrayLike<number>) => statistics.mean(Array.from(values));

export const geometricMean = (values: ArrayLike<number>) => statistics.logAverage(Array.from(values));

/** Standard deviation of the mean of independent values; NaN for fewer than two. */
export function standardError(values: ArrayLike<number>): number {
  if (values.length < 2) return Number.NaN;
  return statistics.sampleStandardDeviation(Array.from(values)) / Math.sqrt(values.length);
}

/** Student's interval for the mean of independent values; without bounds (±∞) for fewer than two. */
export function meanInterval(values: ArrayLike<number>): Interval {
  const centre = mean(values);
  if (values.length < 2) return { mean: centre, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  const half = studentQuantile(values.length - 1) * standardError(values);
  return { mean: centre, low: centre - half, high: centre + half };
}

/** Geometric mean of positive values, with the interval of the mean of their logarithms: for errors that vary by factors. */
export function geometricInterval(values: ArrayLike<number>): Interval {
  const { mean, low, high } = meanInterval(Array.from(values, Math.log));
  return { mean: Math.exp(mean), low: Math.exp(low), high: Math.exp(high) };
}

/** Geometric mean of the ratios a/b of paired values. */
export function ratioInterval(a: ArrayLike<number>, b: ArrayLike<number>): Interval {
  return geometricInterval(Array.from(a, (value, i) => value / b[i]));
}

export const median = (values: ArrayLike<number>) => statistics.median(Array.from(values));

/** Ranks from 1 up, equal values sharing the mean of theirs. O(n log n). */
export function ranks(values: ArrayLike<number>): Float64Array {
  const order = Uint32Array.from({ length: values.length }, (_, i) => i).sort((a, b) => values[a] - values[b]);
  const found = new Float64Array(values.length);
  for (let start = 0, end = 0; start < order.length; start = end) {
    while (end < order.length && values[order[end]] === values[order[start]]) end++;
    for (let i = start; i < end; i++) found[order[i]] = (start + 1 + end) / 2;
  }
  return found;
}

/** Pearson's correlation; NaN where one of the two does not vary. */
export const correlation = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  statistics.sampleCorrelation(Array.from(a), Array.from(b));

/** Spearman's rank correlation, with shared ranks for ties; NaN where one of the two does not vary. */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return correlation(ranks(a), ranks(b));
}

const quantiles = new Map<number, number>();

/** t such that a Student variable of `degrees` is within ±t with the confidence above. */
export function studentQuantile(degrees: number): number {
  let quantile = quantiles.get(degrees);
  if (quantile === undefined) {
    quantile = findQuantile(degrees);
    quantiles.set(degrees, quantile);
  }
  return quantile;
}

/** P(|T| < √ν·tan θ) = ∫₀^θ cos^(ν−1) / ∫₀^(π/2) cos^(ν−1); θ is found by bisection. */
function findQuantile(degrees: number): number {
  // So many degrees are a normal variable's.
  if (degrees > 10_000) return 1.959964;
  const power = (angle: number) => Math.cos(angle) ** (degrees - 1);
  const total = simpson(power, Math.PI / 2);
  let [low, high] = [0, Math.PI / 2];
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (simpson(power, middle) < confidence * total) low = middle;
    else high = middle;
  }
  return Math.sqrt(degrees) * Math.tan(low);
}

/** ∫₀^end f by Simpson's rule. */
function simpson(f: (x: number) => number, end: number, pieces = 2000): number {
  const step = end / pieces;
  let sum = f(0) + f(end);
  for (let i = 1; i < pieces; i++) sum += (i % 2 === 1 ? 4 : 2) * f(i * step);
  return (sum * step) / 3;
}
