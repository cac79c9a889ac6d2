/** Tables in Markdown, such as docs/ has: of the results of a run, and of a file of docs/benchmarks/. */
import type { BackendKind } from './case.ts';
import { formatTime, formatValue, percent, type Result } from './report.ts';

/** What {@link formatTable} needs of a report; the files of docs/benchmarks/ hold this and more. */
export interface TableCase {
  readonly name: string;
  readonly kind: BackendKind;
  readonly results: readonly Pick<Result, 'label' | 'milliseconds' | 'gigaflopsPerSecond' | 'peak' | 'shareOfPeak'>[];
}

/** The results of cases as a table in Markdown, such as docs/ has. */
export function formatTable(cases: readonly TableCase[]): string {
  const rows = cases.flatMap(({ name, kind, results }) =>
    results.map(({ label, milliseconds, gigaflopsPerSecond, peak, shareOfPeak }) => {
      const figures = [formatTime(milliseconds), gigaflopsPerSecond.toFixed(0), peak.toFixed(0), percent(shareOfPeak)];
      return [kind === 'wasm' ? `${name}, WASM` : name, label, ...figures];
    }),
  );
  const head = ['case', '', 'median', 'GFLOP/s', 'peak', 'share'];
  return markdown(head, '|---|---|--:|--:|--:|--:|', rows);
}

/** A figure with what it is, a plain number, or words. */
type Cell =
  | string
  | number
  | { readonly milliseconds: number }
  | { readonly share: number }
  | { readonly ratio: number }
  | { readonly value: number; readonly unit: string };

/** What a table shows that is laid out by hand. */
export interface Grid {
  readonly columns: readonly { readonly title: string; readonly isNumber?: boolean }[];
  readonly rows: readonly (readonly Cell[])[];
}

/** A table that is laid out by hand, its figures as the bench prints them. */
export function formatGrid({ columns, rows }: Grid): string {
  const line = `|${columns.map(({ isNumber }) => (isNumber ? '--:' : '---')).join('|')}|`;
  return markdown(
    columns.map(({ title }) => title),
    line,
    rows.map((cells) => cells.map(formatCell)),
  );
}

function formatCell(cell: Cell): string {
  if (typeof cell === 'string') return cell;
  if (typeof cell === 'number') return formatValue(cell);
  if ('milliseconds' in cell) return formatTime(cell.milliseconds);
  if ('share' in cell) return percent(cell.share);
  if ('ratio' in cell) return `${formatValue(cell.ratio)} ×`;
  return `${formatValue(cell.value)} ${cell.unit}`;
}

function markdown(head: readonly string[], line: string, rows: readonly (readonly string[])[]): string {
  const [first, ...others] = [head, ...rows].map(
    (cells) => `|${cells.map((cell) => (cell ? ` ${cell} |` : ' |')).join('')}`,
  );
  return [first, line, ...others].join('\n');
}
