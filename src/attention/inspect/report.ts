import { ConfigurationError } from '../../base/errors.ts';
import { Pauses } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import { measureP } from '../../features/maps/favor-plus-plus.ts';
import type { FeatureTensors } from '../../tensor/ops/attention/favor.ts';
import { checkSoftmaxMap } from '../../tensor/ops/attention/near-field.ts';
import { checkTensors, type Tensor } from '../../tensor/tensor.ts';
import { checkNearFieldChoice, type FeatureOptions, type NearFieldChoice } from '../favor.ts';
import { featureWeights, finishRows, type HeadRows, joinRows, withFeatures } from './attention-rows.ts';
import { type FeatureSearch, type FeatureSearchOptions, searchNumFeatures } from './num-features.ts';
import {
  type MeasuredNearField,
  MeasuredOutputs,
  type MeasureOptions,
  measureOptions,
  median,
  relativeError,
} from './output-error.ts';

export interface ReportOptions extends MeasureOptions {
  /** Tensors from `drawFeatures`, or what to draw them from, as for `favorAttention`. */
  readonly features?: FeatureTensors | FeatureOptions | undefined;
  /** Near keys exactly and features for the rest, as `favorAttention` takes it. Default: an estimate of all keys. */
  readonly nearField?: NearFieldChoice | undefined;
  /** Also find the least number of features for a wanted error, as `smallestNumFeatures` does. Needs features as options. */
  readonly smallestNumFeatures?: Omit<FeatureSearchOptions, keyof MeasureOptions | 'features'> | undefined;
}

/** What one head adds to the report. */
interface MeasuredHead {
  readonly report: HeadReport;
  readonly exact: Float64Array;
  readonly totalVariations: readonly number[];
}

type Rows = Pick<HeadRows, 'weights' | 'scales'>;

/**
 * Compares FAVOR+ with exact softmax attention on given inputs: what the estimate gets wrong, for every head and over
 * all. Exact attention is computed at the measured queries only. That costs O(rows·lengthK·(dHead + numFeatures +
 * dValue)) for each head, and one FAVOR+ forward pass. Extra memory is 2·rows·lengthK float64 numbers.
 *
 * The figures hold for these features; another draw gives other figures.
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
    nearField: option.plain,
    smallestNumFeatures: option.object,
  });
  const { features: given = {}, nearField, smallestNumFeatures: wanted, ...measure } = options;
  if (nearField && wanted) {
    throw new ConfigurationError(
      'approximationReport: smallestNumFeatures searches without a near field; leave one of the two out.',
    );
  }
  if (nearField) checkNearFieldChoice('approximationReport', nearField, queries, keys, measure);
  return withFeatures(queries, given, new Pauses(measure.signal), async (features) => {
    const near = nearField && (await measuredNearField(nearField, features));
    const measured = await MeasuredOutputs.open(queries, keys, values, measure);
    const { batch, heads } = measured.reader.sizes;
    const estimates = await measured.estimates(features, near);
    const found: MeasuredHead[] = [];
    for (let b = 0; b < batch; b++) {
      for (let head = 0; head < heads; head++) {
        found.push(await measureHead(measured, features, b, head, estimates[b * heads + head], near));
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
      ...(near && { nearField: pooledNearField(pooled) }),
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
  near: MeasuredNearField | undefined,
): Promise<MeasuredHead> {
  const { reader, rows, queries } = measured;
  const { lengthQ, lengthK, dHead } = reader.sizes;
  const exactRows = await measured.exactWeights(batch, head);
  const { pauses } = measured;
  const estimated = await reader.headRows(batch, head, rows, featureWeights(queries, features, dHead), pauses);
  const isNear = near && reader.nearKeys(batch, rows, near.choice);
  if (near && isNear) {
    const far = Math.log(features.weight) + (near.gains?.[head] ?? 0);
    await joinRows(estimated, exactRows, far, near.choice, isNear, pauses);
    estimated.denominators.fill(1);
  } else await finishRows(estimated, features, pauses);
  await finishRows(exactRows, undefined, pauses);
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
    ...(isNear && { nearField: await nearFieldError(estimated, exactRows, isNear, eachSeeing) }),
  };
  return { report, exact, totalVariations };
}

/** @throws ConfigurationError for features that estimate another kernel than softmax */
async function measuredNearField(
  { gain, ...choice }: NearFieldChoice,
  features: FeatureTensors,
): Promise<MeasuredNearField> {
  checkSoftmaxMap(features);
  return { choice, gains: gain && (await gain.data()) };
}

/** Means over the rows that see a key. */
async function nearFieldError(
  estimated: Rows,
  exact: Rows,
  isNear: readonly boolean[],
  eachSeeing: (measure: (row: number) => number) => Promise<number[]>,
): Promise<NearFieldError> {
  const part = (rows: Rows, row: number, wanted: boolean) => {
    const weights = rowOf(rows, row);
    return weights.map((weight, j) => (isNear[row * weights.length + j] === wanted ? weight : 0));
  };
  const variation = async (wanted: boolean) =>
    mean(await eachSeeing((row) => distance(part(estimated, row, wanted), part(exact, row, wanted))));
  const farMass = async (rows: Rows) =>
    mean(await eachSeeing((row) => part(rows, row, false).reduce((sum, weight) => sum + weight, 0)));
  return {
    near: await variation(true),
    far: await variation(false),
    farMass: { estimated: await farMass(estimated), exact: await farMass(exact) },
  };
}

function pooledNearField(pooled: (of: (report: HeadReport) => number) => number): NearFieldError {
  const each = (of: (error: NearFieldError) => number) => pooled(({ nearField }) => of(nearField as NearFieldError));
  return {
    near: each(({ near }) => near),
    far: each(({ far }) => far),
    farMass: { estimated: each(({ farMass }) => farMass.estimated), exact: each(({ farMass }) => farMass.exact) },
  };
}

function rowOf({ weights, scales }: Rows, row: number): Float64Array {
  const lengthK = weights.length / scales.length;
  return weights.subarray(row * lengthK, (row + 1) * lengthK);
}

/** ½Σ_j |a_j − b_j| */
function distance(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, x, j) => sum + Math.abs(x - b[j]), 0) / 2;
}

/** Distance from 1/n on the n keys that are seen. The other keys, where the row is zero, are not counted. */
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

/** 0 for an empty list. */
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

/** What a near field gets wrong, means over rows. */
export interface NearFieldError {
  /** ½Σ_j |Â_ij − A_ij| over the near keys: by how much their share of the attention is wrong. */
  readonly near: number;
  /** The same over the far keys; both add up to the mean total variation. */
  readonly far: number;
  /** Share of the attention on far keys. */
  readonly farMass: { readonly estimated: number; readonly exact: number };
}

/** How far an estimate is from exact attention. Queries that see no valid key are left out of all means. */
export interface ApproximationError {
  /** ‖out − exact‖/‖exact‖: 0 is exact, 1 as wrong as returning zeros. */
  readonly outputError: number;
  /**
   * ½Σ_j |Â_ij − A_ij| of a row, over rows: the share of the attention that is on the wrong keys. From 0 to 1 if the
   * estimated rows are positive.
   */
  readonly totalVariation: { readonly mean: number; readonly median: number; readonly worst: number };
  /**
   * How far rows are from plain averaging: the mean of ½Σ_j |A_ij − 1/n| over the n keys that a query sees. Given for
   * the estimated and for the exact rows. Noise raises the estimate's figure; only bias lowers it.
   */
  readonly contrast: { readonly estimated: number; readonly exact: number };
  /**
   * Features that decide a row: (Σ_r |w_r|)²/Σ_r w_r² for the parts w_r of its divisor, 1 to numFeatures, mean over rows. Where
   * the features estimate softmax, the divisor's relative variance is about the inverse of this. Of an estimate of all keys
   * also where near keys are exact.
   */
  readonly effectiveFeatures: number;
  /** Share of rows, 0 to 1, whose divisor is negative: their estimate has the wrong sign. */
  readonly negativeDenominators: number;
  /** Mean of ‖x̂ + ŷ‖²/dHead over all queries and valid keys scaled by dHead^(−1/4): what FAVOR++ takes as its p. */
  readonly p: number;
  /** With a near field only. */
  readonly nearField?: NearFieldError;
}

export interface HeadReport extends ApproximationError {
  readonly batch: number;
  readonly head: number;
}

/** Plain data: survives JSON. */
export interface ApproximationReport extends ApproximationError {
  readonly numFeatures: number;
  /** Whether the features estimate softmax at all; those of a generalised map estimate a kernel of their own. */
  readonly estimatesSoftmax: boolean;
  /** Positions of the queries that were measured, in every batch row and head. */
  readonly rows: readonly number[];
  readonly heads: readonly HeadReport[];
  /** One sentence each; empty if nothing looks wrong. */
  readonly warnings: readonly string[];
  /** If it was asked for. */
  readonly smallestNumFeatures?: FeatureSearch;
}

/**
 * An estimate has collapsed if its rows are this many times closer to plain averaging than the exact rows. The estimate
 * is a mean over random features, whose noise makes rows more uneven, never less. So bias evens rows out, such as a
 * constant added to features that are small beside it; a healthy estimate is at or above 1. A kernel that is merely
 * another kernel, such as ReLU's, is flagged too where it no longer tells keys apart that softmax does.
 */
const collapsedContrast = 1 / 4;

/** Exact rows within this total variation of averaging lose nothing by it: no more than a tenth of the attention moves. */
const uniformContrast = 0.1;

/** The relative error of a row's divisor is about 1/√(effective features): a third here. */
const fewFeatures = 10;

/** What looks wrong in a report, in one sentence each. */
function reportWarnings(heads: readonly HeadReport[], numFeatures: number, estimatesSoftmax: boolean): string[] {
  const warnings: string[] = [];
  const warn = (applies: (head: HeadReport) => boolean, sentence: (concerned: readonly HeadReport[]) => string) => {
    const concerned = heads.filter(applies);
    if (concerned.length > 0) warnings.push(`${named(concerned, heads)}: ${sentence(concerned)}`);
  };
  if (!estimatesSoftmax) {
    warnings.push(
      'These features define a kernel of their own, which more of them do not bring closer to softmax; errors are against softmax.',
    );
  }
  warn(
    ({ contrast }) => contrast.exact > uniformContrast && contrast.estimated < collapsedContrast * contrast.exact,
    () =>
      'the estimate collapsed towards the mean of the values, its rows being nearly uniform; ' +
      'use positive features without an epsilon, or shorten queries and keys.',
  );
  warn(
    ({ effectiveFeatures, totalVariation }) =>
      estimatesSoftmax && effectiveFeatures < fewFeatures && totalVariation.mean > uniformContrast,
    (concerned) =>
      `${smallest(concerned).toFixed(1)} of ${numFeatures} features decide a row, too few for queries and keys this long; ` +
      'draw more, or scale queries and keys down.',
  );
  warn(
    ({ negativeDenominators }) => negativeDenominators > 0,
    (concerned) =>
      `the sum of a row is negative for up to ${percent(concerned)} of queries, whose outputs have the wrong sign; ` +
      'use positive features, or draw more.',
  );
  return warnings;
}

function smallest(heads: readonly HeadReport[]): number {
  return heads.reduce((least, { effectiveFeatures }) => Math.min(least, effectiveFeatures), Number.POSITIVE_INFINITY);
}

function percent(heads: readonly HeadReport[]): string {
  const largest = heads.reduce((most, { negativeDenominators }) => Math.max(most, negativeDenominators), 0);
  return `${(100 * largest).toPrecision(2)} %`;
}

function named(heads: readonly HeadReport[], all: readonly HeadReport[]): string {
  if (heads.length === all.length) return all.length === 1 ? 'The head' : `All ${all.length} heads`;
  const shown = heads.slice(0, 4).map(({ batch, head }) => `head ${head} of batch row ${batch}`);
  const others = heads.length - shown.length;
  const list = shown.join(', ') + (others > 0 ? ` and ${others} others` : '');
  return list[0].toUpperCase() + list.slice(1);
}

const columns: readonly [title: string, cell: (row: ApproximationError) => string][] = [
  ['output error', (row) => row.outputError.toPrecision(3)],
  ['total variation', (row) => row.totalVariation.mean.toPrecision(3)],
  ['worst', (row) => row.totalVariation.worst.toPrecision(3)],
  ['contrast', (row) => `${row.contrast.estimated.toPrecision(2)} (${row.contrast.exact.toPrecision(2)})`],
  ['effective features', (row) => row.effectiveFeatures.toFixed(1)],
  ['p', (row) => row.p.toPrecision(3)],
];

const nearFieldColumns: readonly [title: string, cell: (row: NearFieldError) => string][] = [
  ['near', ({ near }) => near.toPrecision(3)],
  ['far', ({ far }) => far.toPrecision(3)],
  ['far mass', ({ farMass }) => `${farMass.estimated.toPrecision(2)} (${farMass.exact.toPrecision(2)})`],
];

const errorKinds = {
  outputError: option.number,
  totalVariation: option.having('numbers', { mean: option.number, worst: option.number }),
  contrast: option.having('numbers', { estimated: option.number, exact: option.number }),
  effectiveFeatures: option.number,
  p: option.number,
  nearField: option.optional(
    option.having('errors of near and far', {
      near: option.number,
      far: option.number,
      farMass: option.having('numbers', { estimated: option.number, exact: option.number }),
    }),
  ),
};

const reportKind = option.having('what approximationReport() gives', {
  ...errorKinds,
  numFeatures: option.natural,
  rows: option.array,
  heads: option.listOf(option.having('a row', { batch: option.natural, head: option.natural, ...errorKinds })),
  warnings: option.strings,
  smallestNumFeatures: option.optional(
    option.having('a search', {
      error: option.number,
      numFeatures: option.optional(option.natural),
      curve: option.listOf(option.having('a point', { numFeatures: option.natural })),
    }),
  ),
});

/**
 * A report as lines of text: one row for each head, one over all, then the warnings. Contrast and far mass: estimated
 * (exact).
 */
export function formatReport(report: ApproximationReport): string {
  checkArguments('formatReport', { report }, { report: reportKind });
  const { numFeatures, rows, heads, warnings, smallestNumFeatures: search } = report;
  const cellsOf = (row: ApproximationError) => [
    ...columns.map(([, cell]) => cell(row)),
    ...nearFieldColumns.flatMap(([, cell]) => (row.nearField ? [cell(row.nearField)] : [])),
  ];
  const cells = [
    ['', ...[...columns, ...(report.nearField ? nearFieldColumns : [])].map(([title]) => title)],
    ...heads.map((head) => [`batch row ${head.batch}, head ${head.head}`, ...cellsOf(head)]),
    ['all', ...cellsOf(report)],
  ];
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  const table = cells.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join('  '),
  );
  const lines = [`${numFeatures} features against exact attention, ${rows.length} queries of each head`, ...table];
  if (search) {
    const found = search.numFeatures ?? `more than ${search.curve.at(-1)?.numFeatures}`;
    lines.push(`features for an output error of ${search.error}: ${found}`);
  }
  return [...lines, ...warnings.map((warning) => `warning: ${warning}`)].join('\n');
}
