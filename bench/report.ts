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
  /** gigaflopsPerSecond over the best peak that this run has measured. */
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
  /** Of the peak's own rounds: above a few percent, something else was using the processors. */
  readonly peakSpread: number;
  readonly results: readonly Result[];
  readonly comparisons: readonly Comparison[];
}

/** @param peak GFLOP/s that the share refers to */
export function resultOf(name: string, { subject, milliseconds }: Timing, peak: number): Result {
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
    shareOfPeak: gigaflopsPerSecond / peak,
    ...(subject.tokens === undefined ? {} : { tokensPerSecond: (subject.tokens / median) * 1e3 }),
  };
}

const LABEL_WIDTH = 36;
const QUIET_SPREAD = 0.05;

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
    `  ${''.padEnd(LABEL_WIDTH)}${'median'.padStart(10)}${'spread'.padStart(9)}${'GFLOP/s'.padStart(10)}${'of peak'.padStart(9)}`,
  );
  const rows = report.results.map((result) => {
    const share = `${Math.round(result.shareOfPeak * 100)} %`.padStart(9);
    const tokens =
      result.tokensPerSecond === undefined
        ? ''
        : `  ${Math.round(result.tokensPerSecond).toLocaleString('en-US')} tokens/s`;
    return (
      `  ${result.label.padEnd(LABEL_WIDTH)}${pico.bold(formatTime(result.milliseconds).padStart(10))}` +
      `${pico.dim(`± ${(result.spread * 100).toFixed(0)} %`.padStart(9))}` +
      `${result.gigaflopsPerSecond.toFixed(1).padStart(10)}${result.shareOfPeak >= 0.5 ? pico.green(share) : share}${tokens}`
    );
  });
  const comparisons = report.comparisons.map(
    ({ slow, fast, ratio }) => `  ${fast} is ${pico.bold(`${ratio.toFixed(1)} times`)} as fast as ${slow}`,
  );
  const noise =
    report.peakSpread <= QUIET_SPREAD
      ? []
      : [
          pico.yellow(
            `  The peak itself varied by ± ${(report.peakSpread * 100).toFixed(0)} %: something else uses the processors, ` +
              'and shares of peak come out too low.',
          ),
        ];
  const heading = `${pico.bold(report.name)}  ${report.description}`;
  return ['', heading, ...checked, header, ...rows, ...comparisons, ...noise].join('\n');
}

function formatTime(milliseconds: number): string {
  if (milliseconds < 1) return `${(milliseconds * 1e3).toPrecision(3)} µs`;
  return `${milliseconds < 100 ? milliseconds.toPrecision(3) : milliseconds.toFixed(0)} ms`;
}
