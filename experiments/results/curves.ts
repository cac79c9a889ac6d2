import * as Plot from '@observablehq/plot';
import type { ContestOutcome } from '../contests/contest.ts';
import { colors, figure, type LegendEntry, type Panel } from './figure.ts';
import { formatEstimate, formatNumber, table } from './markdown.ts';
import { mean, standardError } from './statistics.ts';

/** How a loss or an accuracy is shown. */
export interface Measure {
  readonly label: string;
  readonly of: (score: { loss: number; accuracy: number }) => number;
}

export const accuracyMeasure: Measure = { label: 'accuracy, %', of: ({ accuracy }) => 100 * accuracy };
export const perplexityMeasure: Measure = { label: 'perplexity', of: ({ loss }) => Math.exp(loss) };
export const bitsMeasure: Measure = { label: 'bits per dimension', of: ({ loss }) => loss / Math.LN2 };

const palette = [
  colors.blue,
  colors.orange,
  colors.green,
  colors.pink,
  colors.amber,
  colors.sky,
  colors.black,
  colors.grey,
];
const dashes = [undefined, '6 4', '2 3'];

/** A colour and a dash for each name; names beyond the palette take its colours again, dashed. */
export function lineStyles(names: readonly string[]): Map<string, LegendEntry> {
  return new Map(
    names.map((label, i) => {
      const dash = dashes[Math.floor(i / palette.length) % dashes.length];
      return [label, { label, color: palette[i % palette.length] as string, ...(dash ? { dash } : {}) }];
    }),
  );
}

/** One plot of validation by updates. */
export interface CurvePanel {
  readonly title: string;
  readonly measure: Measure;
  readonly outcomes: readonly ContestOutcome[];
  /** A horizontal line, such as an empirical baseline. */
  readonly baseline?: { readonly label: string; readonly value: number } | undefined;
}

const plotSize = { width: 540, height: 360 };
const rowHeight = 460;

/** Validation curves, two plots a row under one legend each. */
export function curvesFigure(title: string, subtitle: string, curves: readonly CurvePanel[]): string {
  const names = [...new Set(curves.flatMap(({ outcomes }) => outcomes.map(({ name }) => name)))];
  const styles = lineStyles(names);
  const entriesPerRow = curves.length > 1 ? 3 : 2;
  const entries = curves.map(({ outcomes, baseline }) => outcomes.length + (baseline ? 1 : 0));
  const legendRows = Math.ceil(Math.max(...entries) / entriesPerRow);
  const top = 84 + 19 * legendRows;
  const panels = curves.map((panel, i): Panel => {
    const x = 20 + (i % 2) * 570;
    const y = top + Math.floor(i / 2) * (rowHeight + 19 * (legendRows - 1));
    return drawCurves(panel, styles, x, y, entriesPerRow);
  });
  const rows = Math.ceil(curves.length / 2);
  const height = top + rows * rowHeight + (rows - 1) * 19 * (legendRows - 1) - 80;
  return figure({ width: curves.length > 1 ? 1150 : 580, height, title, subtitle, panels });
}

function drawCurves(
  { title, measure, outcomes, baseline }: CurvePanel,
  styles: ReadonlyMap<string, LegendEntry>,
  x: number,
  y: number,
  entriesPerRow: number,
): Panel {
  const rows = outcomes.flatMap(({ name, curve }) =>
    curve.map((point) => ({ ...styles.get(name), name, step: point.step, value: measure.of(point) })),
  );
  const legend = outcomes.map(({ name }) => styles.get(name) as LegendEntry);
  if (baseline) legend.push({ label: baseline.label, color: colors.grey, dash: '1 3' });
  const lines = outcomes.map(({ name }) =>
    Plot.line(
      rows.filter((row) => row.name === name),
      {
        x: 'step',
        y: 'value',
        stroke: styles.get(name)?.color ?? colors.black,
        strokeDasharray: styles.get(name)?.dash ?? 'none',
        strokeWidth: 2,
      },
    ),
  );
  const rule = baseline
    ? [Plot.ruleY([baseline.value], { stroke: colors.grey, strokeDasharray: '1 3', strokeWidth: 2 })]
    : [];
  return {
    x,
    y,
    title,
    legend,
    entriesPerRow,
    plot: {
      ...plotSize,
      marginLeft: 56,
      marginBottom: 42,
      x: { label: 'updates', grid: false },
      y: { label: measure.label, grid: true, nice: true },
      marks: [...rule, ...lines],
    },
  };
}

/** What stands in a table of outcomes beside the measures. */
interface OutcomesTableOptions {
  /** A further column, such as what the paper reports. */
  readonly reference?: { readonly head: string; readonly of: (name: string) => string };
  /** Tests that are shown. Default: all. */
  readonly tests?: readonly string[];
  /** A measure by which each model is compared with the first, run by run: the runs of a seed have batches in common. */
  readonly against?: Measure;
}

/** What each contestant reached in each test, with the standard error over its runs; a failure in place of numbers. */
export function outcomesTable(
  outcomes: readonly ContestOutcome[],
  measures: readonly Measure[],
  options: OutcomesTableOptions = {},
): string {
  const { reference, against } = options;
  const tests = options.tests ?? [...new Set(outcomes.flatMap(({ tests }) => Object.keys(tests)))];
  const [first] = outcomes;
  const heads = tests.flatMap((test) => measures.map(({ label }) => `${test}: ${label}`));
  const rows = outcomes.map((outcome) => [
    outcome.name,
    ...tests.flatMap((test) => measures.map((measure) => cell(outcome, test, measure))),
    ...(against && first
      ? tests.map((test) => (outcome === first ? '' : difference(outcome, first, test, against)))
      : []),
    `${formatNumber(outcome.numParameters / 1e6)} M`,
    ...(reference ? [reference.of(outcome.name)] : []),
  ]);
  const compared = against && first ? tests.map((test) => `${test}: ${against.label}, less that of ${first.name}`) : [];
  return table(['model', ...heads, ...compared, 'parameters', ...(reference ? [reference.head] : [])], rows);
}

function cell({ tests, runs }: ContestOutcome, test: string, { of }: Measure): string {
  const score = tests[test];
  if (score === undefined) return 'diverged';
  const values = runs?.map((run) => of(run[test] as typeof score)) ?? [of(score)];
  return formatEstimate(mean(values), standardError(values));
}

function difference(outcome: ContestOutcome, first: ContestOutcome, test: string, { of }: Measure): string {
  const pairs = (outcome.runs ?? [outcome.tests]).map((run, i) => [
    run[test],
    (first.runs ?? [first.tests])[i]?.[test],
  ]);
  const values = pairs.map(([score, other]) => (score && other ? of(score) - of(other) : Number.NaN));
  return values.some(Number.isNaN) ? 'diverged' : formatEstimate(mean(values), standardError(values));
}
