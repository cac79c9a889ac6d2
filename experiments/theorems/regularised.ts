import { type Pair, regularisedSoftmaxKernel, softmaxKernel } from '../../src/entries/inspect.ts';
import type { ExperimentContext } from '../experiment.ts';
import { kernelEstimates, pairVectors } from '../kernel-estimates.ts';
import { type Interval, meanInterval } from '../results/statistics.ts';
import type { TheoremsConfiguration } from './configuration.ts';

/** SMREG/SM at one dHead and ‖x + y‖². */
export interface RegularisedPoint {
  readonly dHead: number;
  readonly squaredSum: number;
  readonly ratio: number;
  /** 1 − 2/dHead^(1/3) */
  readonly bound: number;
  readonly measured?: Interval;
}

export interface RegularisedNumbers {
  readonly points: readonly RegularisedPoint[];
  /** For each dHead the largest ‖x + y‖² up to which the bound holds. */
  readonly reach: readonly { readonly dHead: number; readonly squaredSum: number }[];
}

/** Theorem 1: SMREG ≤ SM, and the ratio tends to 1 as 1 − 2/d^(1/3) at least. */
export async function regularised(
  { regularised, seed }: TheoremsConfiguration,
  { backend, signal, progress }: ExperimentContext,
): Promise<RegularisedNumbers> {
  const { dHeads, squaredSums, measuredUpTo, numFeatures } = regularised;
  const points: RegularisedPoint[] = [];
  for (const [i, dHead] of dHeads.entries()) {
    const pairs = squaredSums.map((squaredSum): Pair => ({ dHead, squaredSum, squaredDifference: 0 }));
    let measured: Interval[] = [];
    if (dHead <= measuredUpTo) {
      const draws = Math.floor(numFeatures / dHead);
      const { x, y } = pairVectors(pairs);
      const options = {
        features: { featureMap: 'smreg' },
        numDirections: dHead,
        draws,
        dHead,
        seed: seed + 100 * i,
      } as const;
      const estimates = await kernelEstimates(backend, x, y, { ...options, signal });
      measured = estimates.map((values, p) => meanInterval(values.map((value) => value / softmaxKernel(pairs[p]))));
    }
    for (const [p, pair] of pairs.entries()) {
      points.push({
        dHead,
        squaredSum: pair.squaredSum,
        ratio: ratioAt(pair),
        bound: boundAt(dHead),
        measured: measured[p],
      });
    }
    progress((i + 1) / dHeads.length, `regularised kernel, d = ${dHead}`);
  }
  return { points, reach: dHeads.map((dHead) => ({ dHead, squaredSum: reachOf(dHead) })) };
}

const boundAt = (dHead: number) => 1 - 2 / Math.cbrt(dHead);
const ratioAt = (pair: Pair) => regularisedSoftmaxKernel(pair) / softmaxKernel(pair);

/** The ratio falls with ‖x + y‖²: bisection; infinite where the bound is not above 0. */
function reachOf(dHead: number): number {
  if (boundAt(dHead) <= 0) return Number.POSITIVE_INFINITY;
  let [low, high] = [0, 1];
  const holds = (squaredSum: number) => ratioAt({ dHead, squaredSum, squaredDifference: squaredSum }) >= boundAt(dHead);
  while (holds(high)) high *= 2;
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}
