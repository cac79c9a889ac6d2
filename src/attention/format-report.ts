import type { ApproximationError, ApproximationReport } from './report-types.ts';

const columns: readonly [title: string, cell: (row: ApproximationError) => string][] = [
  ['output error', (row) => row.outputError.toPrecision(3)],
  ['total variation', (row) => row.totalVariation.mean.toPrecision(3)],
  ['worst', (row) => row.totalVariation.worst.toPrecision(3)],
  ['contrast', (row) => `${row.contrast.estimated.toPrecision(2)} (${row.contrast.exact.toPrecision(2)})`],
  ['effective features', (row) => row.effectiveFeatures.toFixed(1)],
  ['p', (row) => row.p.toPrecision(3)],
];

/** A report as lines of text: one row for each head, one over all, then the warnings. Contrast: estimated (exact). */
export function formatReport(report: ApproximationReport): string {
  const { numFeatures, rows, heads, warnings, smallestNumFeatures: search } = report;
  const cells = [
    ['', ...columns.map(([title]) => title)],
    ...heads.map((head) => [`batch row ${head.batch}, head ${head.head}`, ...columns.map(([, cell]) => cell(head))]),
    ['all', ...columns.map(([, cell]) => cell(report))],
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
