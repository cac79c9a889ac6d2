import type { Interval } from './statistics.ts';

/** A Markdown table, numbers to the right of the first column. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

/** Three significant digits, with a power of ten where that is shorter. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(2).replace('e+', 'e');
  return `${Number(value.toPrecision(3))}`;
}

/** `1.23 [1.1, 1.4]` */
export function formatInterval({ mean, low, high }: Interval): string {
  return `${formatNumber(mean)} [${formatNumber(low)}, ${formatNumber(high)}]`;
}

/** `2.2291 ± 0.0035`: a mean and its standard error, which has two significant digits; the mean alone without one. */
export function formatEstimate(mean: number, standardError: number): string {
  if (!(standardError > 0)) return formatNumber(mean);
  const decimals = Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(standardError))));
  return `${mean.toFixed(decimals)} ± ${standardError.toFixed(decimals)}`;
}
