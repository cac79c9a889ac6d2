import { checkOptions, option } from '../base/options.ts';
import { measureP } from '../features/maps/favor-plus-plus.ts';
import type { FeatureTensors } from '../tensor/ops/favor.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { checkTensors } from '../tensor/tensor.ts';
import type { FeatureOptions } from './favor.ts';
import { featureWeights, finishRows, withFeatures } from './inspect.ts';
import { MeasuredOutputs, type MeasureOptions, measureOptions, median, relativeError } from './measured-outputs.ts';
import { type FeatureSearchOptions, searchNumFeatures } from './num-features.ts';
import type { ApproximationError, ApproximationReport, HeadReport } from './report-types.ts';
import { reportWarnings } from './report-warnings.ts';
import type { HeadRows } from './rows.ts';

export interface ReportOptions extends MeasureOptions {
  /** Tensors from `drawFeatures`, or what to draw them from, as for `favorAttention`. */
  readonly features?: FeatureTensors | FeatureOptions | undefined;
  /** Also find the least number of features for a wanted error, as `smallestNumFeatures` does. Needs features as options. */
  readonly smallestNumFeatures?: Omit<FeatureSearchOptions, keyof MeasureOptions | 'features'> | undefined;
}

/** What one head adds to the report. */
interface MeasuredHead {
  readonly report: HeadReport;
  readonly exact: Float64Array;
  readonly totalVariations: readonly number[];
}

/**
 * Compares FAVOR+ with exact softmax attention on given inputs: what the estimate gets wrong, for every head and over all.
 * Exact attention is computed at the measured queries only: O(rows·lengthK·(dHead + numFeatures + dValue)) for each head,
 * and one FAVOR+ forward pass; extra memory of 2·rows·lengthK float64 numbers.
 *
 * The figures hold for these features: another draw gives others.
 *
 * @param queries `[batch, heads, lengthQ, dHead]`
 * @param keys `[batch, heads, lengthK, dHead]`
 * @param values `[batch, heads, lengthK, dValue]`
 * @throws as the attention itself does, and as `smallestNumFeatures`.
 */
export async function approximationReport(
  queries: Tensor,
  keys: Tensor,
  values: Tensor,
  options: ReportOptions = {},
): Promise<ApproximationReport> {
  checkTensors('approximationReport', { queries, keys, values });
  checkOptions<ReportOptions>('approximationReport', options, {
    ...measureOptions,
    features: option.object,
    smallestNumFeatures: option.object,
  });
  const { features: given = {}, smallestNumFeatures: wanted, ...measure } = options;
  return withFeatures(queries, given, async (features) => {
    const measured = await MeasuredOutputs.open(queries, keys, values, measure);
    const { batch, heads } = measured.reader.sizes;
    const estimates = await measured.estimates(features);
    const found: MeasuredHead[] = [];
    for (let b = 0; b < batch; b++) {
      for (let head = 0; head < heads; head++) {
        found.push(await measureHead(measured, features, b, head, estimates[b * heads + head]));
      }
    }
    const exact = found.map((head) => head.exact);
    const reports = found.map(({ report }) => report);
    // Every head counts as much as it has rows with a key.
    const counts = found.map(({ totalVariations }) => totalVariations.length);
    const pooled = (of: (report: HeadReport) => number) => weightedMean(reports.map(of), counts);
    const summary: ApproximationError = {
      outputError: relativeError(estimates, exact),
      totalVariation: summarise(found.flatMap(({ totalVariations }) => totalVariations)),
      contrast: { estimated: pooled((r) => r.contrast.estimated), exact: pooled((r) => r.contrast.exact) },
      effectiveFeatures: pooled((r) => r.effectiveFeatures),
      negativeDenominators: pooled((r) => r.negativeDenominators),
      p: mean(reports.map((r) => r.p)),
    };
    const estimatesSoftmax = features.map === 'exponential' || features.map === 'sine';
    const search = wanted && { ...wanted, features: given as FeatureOptions };
    return {
      ...summary,
      numFeatures: features.numFeatures,
      estimatesSoftmax,
      rows: measured.rows,
      heads: reports,
      warnings: reportWarnings(reports, features.numFeatures, estimatesSoftmax),
      ...(search && { smallestNumFeatures: await searchNumFeatures(measured, exact, search) }),
    };
  });
}

async function measureHead(
  measured: MeasuredOutputs,
  features: FeatureTensors,
  batch: number,
  head: number,
  estimate: Float64Array,
): Promise<MeasuredHead> {
  const { reader, rows, queries } = measured;
  const { lengthQ, lengthK, dHead } = reader.sizes;
  const exactRows = await measured.exactRows(batch, head);
  const { pauses } = measured;
  const estimated = await reader.headRows(batch, head, rows, featureWeights(queries, features, dHead), pauses);
  await finishRows(estimated, features, pauses);
  const exact = await measured.output(batch, head, exactRows);

  const seeing = [...rows.keys()].filter((row) => exactRows.seenKeys[row] > 0);
  const eachSeeing = async (measure: (row: number) => number) => {
    const numbers: number[] = [];
    for (const row of seeing) {
      if (pauses.isDue) await pauses.next();
      numbers.push(measure(row));
    }
    return numbers;
  };
  const totalVariations = await eachSeeing((row) => distance(rowOf(estimated, row), rowOf(exactRows, row)));
  const contrast = async (of: HeadRows) =>
    mean(await eachSeeing((row) => contrastOf(rowOf(of, row), of.seenKeys[row])));
  const effective = await eachSeeing((row) =>
    participationRatio(estimated.shares.subarray(row * features.numFeatures, (row + 1) * features.numFeatures)),
  );
  const range = (length: number) => Array.from({ length }, (_, i) => i);
  const validKeys = range(lengthK).filter((j) => reader.isValidKey(batch, j));
  const allQueries = reader.queryRows(batch, head, range(lengthQ));
  await pauses.next();
  const report: HeadReport = {
    batch,
    head,
    outputError: relativeError([estimate], [exact]),
    totalVariation: summarise(totalVariations),
    contrast: { estimated: await contrast(estimated), exact: await contrast(exactRows) },
    effectiveFeatures: mean(effective),
    negativeDenominators: mean(seeing.map((row) => (estimated.denominators[row] < 0 ? 1 : 0))),
    p: validKeys.length > 0 ? measureP(allQueries, reader.keyRows(batch, head, validKeys), dHead) : 0,
  };
  return { report, exact, totalVariations };
}

function rowOf({ weights, scales }: HeadRows, row: number): Float64Array {
  const lengthK = weights.length / scales.length;
  return weights.subarray(row * lengthK, (row + 1) * lengthK);
}

/** ½Σ_j |a_j − b_j| */
function distance(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, x, j) => sum + Math.abs(x - b[j]), 0) / 2;
}

/** Distance from 1/n on the n keys that are seen; the others, where the row is zero, are counted out. */
function contrastOf(row: Float64Array, seenKeys: number): number {
  const all = row.reduce((sum, x) => sum + Math.abs(x - 1 / seenKeys), 0);
  return (all - (row.length - seenKeys) / seenKeys) / 2;
}

function participationRatio(shares: Float64Array): number {
  let sum = 0;
  let squares = 0;
  // Relative to the largest, so that squares do not underflow.
  const largest = shares.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  if (largest === 0) return 0;
  for (const share of shares) {
    sum += Math.abs(share / largest);
    squares += (share / largest) ** 2;
  }
  return sum ** 2 / squares;
}

function summarise(numbers: readonly number[]): ApproximationError['totalVariation'] {
  return { mean: mean(numbers), median: median(numbers), worst: numbers.reduce((a, b) => Math.max(a, b), 0) };
}

/** 0 of none. */
function mean(numbers: readonly number[]): number {
  return weightedMean(
    numbers,
    numbers.map(() => 1),
  );
}

function weightedMean(numbers: readonly number[], weights: readonly number[]): number {
  const total = weights.reduce((a, b) => a + b, 0);
  return total === 0 ? 0 : numbers.reduce((sum, x, i) => sum + x * weights[i], 0) / total;
}
