import { meanSquaredError, pairAtAngle, softmaxKernel } from '../../src/entries/inspect.ts';
import type { ExperimentContext } from '../experiment.ts';
import { kernelEstimates, pairVectors, squaredErrors } from '../kernel-estimates.ts';
import { type Interval, mean, meanInterval, standardError } from '../results/statistics.ts';
import type { Fig2Configuration } from './configuration.ts';

/** r = MSE of trigonometric over MSE of positive features, at two vectors of one length at an angle. */
export interface RatioPoint {
  readonly angle: number;
  readonly length: number;
  readonly closedForm: number;
  /** Absent where the sample mean of squared errors would not have converged. */
  readonly measured?: Interval;
  readonly mse?: { readonly trigonometric: Interval; readonly positive: Interval };
}

export interface Fig2Numbers {
  readonly grid: readonly RatioPoint[];
  readonly slice: readonly RatioPoint[];
  /** Measured points, how many of their intervals hold the closed form, and the largest deviation in standard errors. */
  readonly agreement: { readonly points: number; readonly inside: number; readonly worst: number };
}

interface Place {
  readonly angle: number;
  readonly length: number;
}

/** Figure 2: where positive features beat trigonometric ones, with independent directions. */
export async function run(configuration: Fig2Configuration, context: ExperimentContext): Promise<Fig2Numbers> {
  const { gridAngles, gridLengths, maxLength, sliceAngles, sliceLength } = configuration;
  // Midpoints of cells of a quarter of the plane; r does not change with the signs of angle and length.
  const gridPairs = cellMiddles(gridLengths, maxLength).flatMap((length) =>
    cellMiddles(gridAngles, Math.PI).map((angle) => ({ angle, length })),
  );
  const slicePairs = cellMiddles(sliceAngles, Math.PI).map((angle) => ({ angle, length: sliceLength }));
  const all = await measure([...gridPairs, ...slicePairs], configuration, context);
  const points = all.map(({ point }) => point);
  const deviations = all.flatMap(({ deviation }) => (deviation === undefined ? [] : [Math.abs(deviation)]));
  return {
    grid: points.slice(0, gridPairs.length),
    slice: points.slice(gridPairs.length),
    agreement: {
      points: deviations.length,
      inside: deviations.filter((deviation) => deviation <= 1.96).length,
      worst: Math.max(...deviations),
    },
  };
}

function cellMiddles(count: number, end: number): number[] {
  return Array.from({ length: count }, (_, i) => ((i + 0.5) * end) / count);
}

async function measure(places: readonly Place[], configuration: Fig2Configuration, context: ExperimentContext) {
  const { dHead, numDirections, draws, seed, maxRelativeError } = configuration;
  const { backend, signal, progress } = context;
  const pairs = places.map(({ angle, length }) => pairAtAngle(dHead, length, angle));
  const { x, y } = pairVectors(pairs);
  const estimates = async (featureMap: 'positive' | 'trigonometric', seed: number, start: number) =>
    kernelEstimates(backend, x, y, {
      features: { featureMap, projection: 'gaussian' },
      numDirections,
      draws,
      dHead,
      seed,
      signal,
      progress: (done) => progress(start + done / 2, `${featureMap} features`),
    });
  const positive = await estimates('positive', 1000 * seed, 0);
  const trigonometric = await estimates('trigonometric', 1000 * seed + 500, 0.5);
  return places.map((point, i) => {
    const pair = pairs[i];
    const projection = 'gaussian';
    const closedForm =
      meanSquaredError(
        { featureMap: { type: 'trigonometric', stabiliser: 0 }, projection, numFeatures: 2 * numDirections },
        pair,
      ) / meanSquaredError({ featureMap: { type: 'positive' }, projection, numFeatures: numDirections }, pair);
    if (relativeError(pair.squaredSum, numDirections, draws) > maxRelativeError)
      return { point: { ...point, closedForm } };
    const truth = softmaxKernel(pair);
    const errors = [trigonometric[i], positive[i]].map((values) => squaredErrors(values, truth));
    const [mseT, mseP] = errors.map(meanInterval);
    const [relativeT, relativeP] = errors.map((values) => standardError(values) / mean(values));
    const deviation = Math.hypot(relativeT, relativeP);
    const ratio = mseT.mean / mseP.mean;
    const factor = Math.exp(1.96 * deviation);
    return {
      point: {
        ...point,
        closedForm,
        measured: { mean: ratio, low: ratio / factor, high: ratio * factor },
        mse: { trigonometric: mseT, positive: mseP },
      },
      deviation: Math.log(ratio / closedForm) / deviation,
    };
  });
}

/** Standard error, over its expectation, of the mean squared error of positive features; from a log-normal's moments. */
function relativeError(squaredSum: number, numDirections: number, draws: number): number {
  const moment = (k: number) => Math.exp((k * k * squaredSum) / 2);
  const variance = moment(2) - moment(1) ** 2;
  const fourth = moment(4) - 4 * moment(3) * moment(1) + 6 * moment(2) * moment(1) ** 2 - 3 * moment(1) ** 4;
  const kurtosis = fourth / variance ** 2;
  return Math.sqrt(((kurtosis + 3 * (numDirections - 1)) / numDirections - 1) / draws);
}
