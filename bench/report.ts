/** Results as a table for people and as JSON. */
import pico from 'picocolors';
import type { Check } from './case.ts';
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
  readonly gigaflopsPerSecond: number;
  /** Median over the rounds of the peak measured around the sample, GFLOP/s. */
  readonly peak: number;
  /** Median over the rounds of the rate over the peak measured around the sample. */
  readonly shareOfPeak: number;
  readonly tokensPerSecond?: number;
}

export interface Comparison {
  readonly slow: string;
  readonly fast: string;
  /** Median over the rounds of slow's time over fast's. */
  readonly ratio: number;
}

export interface CaseReport {
  readonly name: string;
  readonly description: string;
  readonly checks: readonly Check[];
  readonly results: readonly Result[];
  readonly comparisons: readonly Comparison[];
}

export function resultOf(name: string, { subject, milliseconds, peaks }: Timing): Result {
  const median = quantile(milliseconds, 0.5);
  const gigaflopsPerSecond = subject.flops / median / 1e6;
  return {
    case: name,
    label: subject.label,
    milliseconds: median,
    spread: spread(milliseconds),
    samples: milliseconds,
    flops: subject.flops,
    gigaflopsPerSecond,
    peak: quantile(peaks, 0.5),
    shareOfPeak: quantile(
      milliseconds.map((time, round) => subject.flops / time / 1e6 / peaks[round]),
      0.5,
    ),
    ...(subject.tokens === undefined ? {} : { tokensPerSecond: (subject.tokens / median) * 1e3 }),
  };
}

const LABEL_WIDTH = 36;

/** The lines of one case: heading, checks, one row per result, comparisons. */
export function formatCase(report: CaseReport): string {
  const worst = Math.max(...report.checks.map(({ error }) => error));
  const bounds = Math.max(...report.checks.map(({ bound }) => bound));
  const checked =
    report.checks.length === 0
      ? []
      : [
          pico.dim(
            `  ${report.checks.length} values checked against float64: error ≤ ${worst.toExponential(0)}, bound ${bounds.toExponential(0)}`,
          ),
        ];
  const header = pico.dim(
    `  ${''.padEnd(LABEL_WIDTH)}${'median'.padStart(10)}${'spread'.padStart(9)}${'GFLOP/s'.padStart(10)}${'peak'.padStart(8)}${'share'.padStart(8)}`,
  );
  const rows = report.results.map((result) => {
    const share = `${Math.round(result.shareOfPeak * 100)} %`.padStart(8);
    const tokens =
      result.tokensPerSecond === undefined
        ? ''
        : `  ${Math.round(result.tokensPerSecond).toLocaleString('en-US')} tokens/s`;
    return (
      `  ${result.label.padEnd(LABEL_WIDTH)}${pico.bold(formatTime(result.milliseconds).padStart(10))}` +
      `${pico.dim(`± ${(result.spread * 100).toFixed(0)} %`.padStart(9))}` +
      `${result.gigaflopsPerSecond.toFixed(1).padStart(10)}${pico.dim(result.peak.toFixed(0).padStart(8))}${result.shareOfPeak >= 0.5 ? pico.green(share) : share}${tokens}`
    );
  });
  const comparisons = report.comparisons.map(
    ({ slow, fast, ratio }) => `  ${fast} is ${pico.bold(`${ratio.toFixed(1)} times`)} as fast as ${slow}`,
  );
  const heading = `${pico.bold(report.name)}  ${report.description}`;
  return ['', heading, ...checked, header, ...rows, ...comparisons].join('\n');
}

function formatTime(milliseconds: number): string {
  if (milliseconds < 1) return `${(milliseconds * 1e3).toPrecision(3)} µs`;
  return `${milliseconds < 100 ? milliseconds.toPrecision(3) : milliseconds.toFixed(0)} ms`;
}
