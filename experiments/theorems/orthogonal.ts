import {
  type EstimatorDescription,
  meanSquaredError,
  orthogonalGain,
  type Pair,
  softmaxKernel,
} from '../../src/entries/inspect.ts';
import type { ExperimentContext } from '../experiment.ts';
import { kernelEstimates, pairVectors, squaredErrors } from '../kernel-estimates.ts';
import { type Interval, meanInterval, standardError, studentQuantile } from '../results/statistics.ts';
import type { TheoremsConfiguration } from './configuration.ts';

/** Mean squared errors of m = dHead positive features. */
export interface OrthogonalPoint {
  readonly dHead: number;
  readonly squaredSum: number;
  readonly kernel: number;
  readonly independent: { readonly closedForm: number; readonly measured: Interval };
  readonly orthogonal: { readonly closedForm: number; readonly measured: Interval };
  /** What Theorem 2 promises: the error of independent directions less the gain. */
  readonly bound: number;
  /** (independent − orthogonal)/promised gain: at least 1. */
  readonly gain: { readonly closedForm: number; readonly measured: Interval };
}

/** Theorem 2: orthogonal directions save at least 2(m−1)/(m(d+2))·(SM − e^(−X/2))². */
export async function orthogonal(
  { orthogonal, seed }: TheoremsConfiguration,
  { backend, signal, progress }: ExperimentContext,
): Promise<OrthogonalPoint[]> {
  const { dHeads, squaredSums, squaredDifference, directions } = orthogonal;
  const points: OrthogonalPoint[] = [];
  for (const [i, dHead] of dHeads.entries()) {
    const pairs = squaredSums.map((squaredSum): Pair => ({ dHead, squaredSum, squaredDifference }));
    const { x, y } = pairVectors(pairs);
    const draws = Math.max(2, Math.floor(directions / dHead));
    const measure = async (projection: 'gaussian' | 'orthogonal', offset: number) => {
      const estimates = await kernelEstimates(backend, x, y, {
        features: { featureMap: 'positive', projection },
        numDirections: dHead,
        draws,
        dHead,
        seed: seed + 10_000 * (i + 1) + offset,
        signal,
        progress: (done) =>
          progress((i + (done + (offset && 1)) / 2) / dHeads.length, `${projection} directions, d = ${dHead}`),
      });
      return estimates.map((values, p) => {
        const errors = squaredErrors(values, softmaxKernel(pairs[p]));
        return { interval: meanInterval(errors), error: standardError(errors) };
      });
    };
    const independent = await measure('gaussian', 0);
    const structured = await measure('orthogonal', 5000);
    pairs.forEach((pair, p) => {
      const promised = orthogonalGain(dHead, pair);
      const expected = (projection: EstimatorDescription['projection']) =>
        meanSquaredError({ featureMap: { type: 'positive' }, projection, numFeatures: dHead }, pair);
      const saved = (independent[p].interval.mean - structured[p].interval.mean) / promised;
      const half = (studentQuantile(draws) * Math.hypot(independent[p].error, structured[p].error)) / promised;
      points.push({
        dHead,
        squaredSum: pair.squaredSum,
        kernel: softmaxKernel(pair),
        independent: { closedForm: expected('gaussian'), measured: independent[p].interval },
        orthogonal: { closedForm: expected('orthogonal'), measured: structured[p].interval },
        bound: expected('gaussian') - promised,
        gain: {
          closedForm: (expected('gaussian') - expected('orthogonal')) / promised,
          measured: { mean: saved, low: saved - half, high: saved + half },
        },
      });
    });
  }
  return points;
}
