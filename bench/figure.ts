import { writeFileSync } from 'node:fs';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { exactAt, favorAt, ladderLengths, lengthLadder } from './lengths.ts';
import type { CaseReport } from './report.ts';

/** Draws a run into a file: time against length if it measured the case lengths. */
export async function drawReports(reports: readonly CaseReport[], machine: string, path: string): Promise<void> {
  const ladder = reports.find(({ name }) => name === lengthLadder.name);
  if (ladder) writeFileSync(path, lengthFigure(ladder, `${ladder.backends.join(' and ')} · ${machine}`));
}

/** Time against length of exact and FAVOR+ attention, both axes logarithmic, as SVG. */
export function lengthFigure(report: CaseReport, caption: string): string {
  const lengths = ladderLengths(report.kind);
  const time = (label: string) => report.results.find((result) => result.label === label)?.milliseconds ?? Number.NaN;
  const series = [
    { name: 'exact attention', at: exactAt, color: '#c2410c' },
    { name: 'FAVOR+', at: favorAt, color: '#0369a1' },
  ];
  const rows = series.flatMap(({ name, at, color }) =>
    lengths.map((length) => ({ name, color, length, milliseconds: time(at(length)) })),
  );
  const last = rows.filter(({ length }) => length === lengths.at(-1));
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const figure = Plot.plot({
    document,
    width: 720,
    height: 420,
    marginLeft: 56,
    marginRight: 120,
    marginBottom: 44,
    style: { background: 'white', fontSize: '13px', fontFamily: 'system-ui, sans-serif' },
    x: {
      type: 'log',
      base: 2,
      label: 'length (tokens)',
      ticks: lengths as number[],
      tickFormat: (x: number) => `${x}`,
    },
    y: { type: 'log', label: 'time of a forward pass (ms)', grid: true, tickFormat: (y: number) => `${y}` },
    marks: [
      Plot.line(rows, { x: 'length', y: 'milliseconds', z: 'name', stroke: 'color', strokeWidth: 2.5 }),
      Plot.dot(rows, { x: 'length', y: 'milliseconds', fill: 'color', r: 4 }),
      Plot.text(last, { x: 'length', y: 'milliseconds', text: 'name', fill: 'color', textAnchor: 'start', dx: 10 }),
      Plot.text([caption], {
        text: (text: string) => text,
        frameAnchor: 'top-left',
        dx: 8,
        fill: '#555',
        fontSize: 11,
      }),
    ],
  });
  figure.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return `${figure.outerHTML}\n`;
}
