/** Results as a table for people and as JSON. */
import pico from 'picocolors';
import type { BackendKind, Check, Measurement } from './case.ts';
import { FLOPS_PER_EXPONENTIAL } from './flops.ts';
import { quantile, spread, type Timing } from './measure.ts';

export interface Result {
  readonly case: string;
  readonly label: string;
  /** Median over the rounds. */
  readonly milliseconds: number;
  /** Half the interquartile range over the median. */
  readonly spread: number;
  readonly samples: readonly number[];
  readonly flops: number;
  /** What `flops`, `gigaflopsPerSecond` and `peak` count. */
  readonly unit: 'flop' | 'byte';
  readonly gigaflopsPerSecond: number;
  /** Median over the rounds of the peak measured around the sample, in the same unit. */
  readonly peak: number;
  /** Instruction set and threads that the peak is of. */
  readonly peakOf: string;
  /** Median over the rounds of the rate over the peak measured around the sample. */
  readonly shareOfPeak: number;
  /** The same with exponentials counted as flops. */
  readonly shareWithExponentials?: number;
  readonly tokensPerSecond?: number;
}

export interface Comparison {
  readonly slow: string;
  readonly fast: string;
  /** Whether `slow` is another engine. */
  readonly peer: boolean;
  /** Median over the rounds of slow's time over fast's. */
  readonly ratio: number;
}

export interface CaseReport {
  readonly name: string;
  readonly kind: BackendKind;
  /** Instruction set and threads of each backend that was measured. */
  readonly backends: readonly string[];
  readonly description: string;
  readonly checks: readonly Check[];
  readonly results: readonly Result[];
  readonly comparisons: readonly Comparison[];
  readonly measurements: readonly Measurement[];
  /** What was not measured, and why. */
  readonly unavailable: readonly { readonly name: string; readonly reason: string }[];
}

export function resultOf(name: string, { subject, milliseconds, peaks, peakLabel }: Timing): Result {
  const median = quantile(milliseconds, 0.5);
  const share = (flops: number) =>
    quantile(
      milliseconds.map((time, round) => flops / time / 1e6 / peaks[round]),
      0.5,
    );
  const { flops, unit = 'flop', exponentials, tokens } = subject;
  return {
    case: name,
    label: subject.label,
    milliseconds: median,
    spread: spread(milliseconds),
    samples: milliseconds,
    flops,
    unit,
    gigaflopsPerSecond: flops / median / 1e6,
    peak: quantile(peaks, 0.5),
    peakOf: peakLabel,
    shareOfPeak: share(flops),
    ...(exponentials === undefined
      ? {}
      : { shareWithExponentials: share(flops + FLOPS_PER_EXPONENTIAL * exponentials) }),
    ...(tokens === undefined ? {} : { tokensPerSecond: (tokens / median) * 1e3 }),
  };
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** The lines of one case: heading, checks, one row per result, comparisons, and what was not measured. */
export function formatCase(report: CaseReport, rounds: number): string {
  const width = Math.max(24, ...report.results.map(({ label }) => label.length));
  const withExponentials = report.results.some((result) => result.shareWithExponentials !== undefined);
  const rate = report.results.every(({ unit }) => unit === 'byte') ? 'GB/s' : 'GFLOP/s';
  const columns = ['median', 'spread', rate, 'peak', 'share', ...(withExponentials ? ['with exp'] : [])];
  const header = pico.dim(`  ${''.padEnd(width)}${columns.map((column) => column.padStart(10)).join('')}`);
  const rows = report.results.map((result) => {
    const share = percent(result.shareOfPeak).padStart(10);
    const exponentials = withExponentials
      ? (result.shareWithExponentials === undefined ? '' : percent(result.shareWithExponentials)).padStart(10)
      : '';
    const notes = [
      ...(result.samples.length < rounds ? [`${result.samples.length} rounds`] : []),
      ...(result.tokensPerSecond === undefined
        ? []
        : [`${Math.round(result.tokensPerSecond).toLocaleString('en-US')} tokens/s`]),
      result.peakOf,
    ];
    return (
      `  ${result.label.padEnd(width)}${pico.bold(formatTime(result.milliseconds).padStart(10))}` +
      `${pico.dim(`± ${percent(result.spread)}`.padStart(10))}${result.gigaflopsPerSecond.toFixed(1).padStart(10)}` +
      `${pico.dim(result.peak.toFixed(0).padStart(10))}${result.shareOfPeak >= 0.5 ? pico.green(share) : share}` +
      `${pico.dim(exponentials)}  ${pico.dim(notes.join(', '))}`
    );
  });
  return [
    '',
    `${pico.bold(report.name)}  ${pico.dim(report.backends.join(' and '))}  ${report.description}`,
    ...checkLine(report.checks),
    ...(rows.length > 0 ? [header, ...rows] : []),
    ...report.comparisons.map(
      ({ slow, fast, ratio }) => `  ${fast}: ${pico.bold(`${formatRatio(ratio)} ×`)} as fast as ${slow}`,
    ),
    ...report.measurements.map(({ label, value, unit }) => `  ${label}: ${pico.bold(formatValue(value))} ${unit}`),
    ...report.unavailable.map(({ name, reason }) => pico.yellow(`  ${name}: not measured: ${reason}`)),
  ].join('\n');
}

function checkLine(checks: readonly Check[]): string[] {
  if (checks.length === 0) return [];
  const worst = Math.max(...checks.map(({ error }) => error));
  const bound = Math.max(...checks.map((check) => check.bound));
  const errors = `error ≤ ${worst.toExponential(0)}, bound ${bound.toExponential(0)}`;
  return [pico.dim(`  ${checks.length} values checked against float64: ${errors}`)];
}

/** Three digits, more where the whole part has more, and never an exponent: 0.0453, 10.6, 2560. */
function threeDigits(value: number): string {
  const rounded = Number(value.toPrecision(3));
  return rounded >= 100 ? value.toFixed(0) : rounded.toPrecision(3);
}

/** A duration with its unit: microseconds below a millisecond, for what rounds to less. */
export function formatTime(milliseconds: number): string {
  const isShort = Number(milliseconds.toPrecision(3)) < 1;
  return isShort ? `${threeDigits(milliseconds * 1e3)} µs` : `${threeDigits(milliseconds)} ms`;
}

const formatRatio = (ratio: number): string => (ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(1));

/** A number to three digits, or in whole thousands with commas. */
export const formatValue = (value: number): string =>
  Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));
