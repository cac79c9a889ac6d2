/** A run as a picture. */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as Plot from '@observablehq/plot';
import { Resvg } from '@resvg/resvg-js';
import { parseHTML } from 'linkedom';
import { crossover, exactAt, favorAt, ladderLengths, lengthLadder } from './attention/lengths.ts';
import { peaks } from './peaks.ts';
import type { CaseReport } from './report.ts';

const fontFamily = "'DejaVu Sans', system-ui, sans-serif";
const colors = { native: '#0072b2', wasm: '#d55e00' } as const;
const WIDTH = 1040;
const ROW_HEIGHT = 19;
/** Room for labels at the left, and for figures at the right. */
const MARGIN_LEFT = 580;
const MARGIN_RIGHT = 64;

/** Draws a run into a file, as PNG if its name ends so: time against length if the case lengths ran alone, else bars. */
export function drawReports(reports: readonly CaseReport[], machine: string, path: string): void {
  const ladder = reports.filter(({ name }) => name === lengthLadder.name);
  const svg = ladder.length === reports.length ? lengthFigure(ladder, machine) : barFigure(reports, machine);
  writeFileSync(path, path.endsWith('.png') ? renderPng(svg) : svg);
}

function renderPng(svg: string): Uint8Array {
  const fonts = join(dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')), 'ttf');
  const fontFiles = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((file) => join(fonts, file));
  const font = { fontFiles, loadSystemFonts: false, defaultFontFamily: 'DejaVu Sans' };
  return new Resvg(svg, { font, fitTo: { mode: 'zoom', value: 2 } }).render().asPng();
}

interface Bar {
  readonly label: string;
  readonly value: number;
  readonly color: string;
}

/** One thread's results are left out where several threads were measured as well. */
function leading(report: CaseReport, label: string): boolean {
  return report.backends.length === 1 || !label.endsWith(', 1 thread');
}

const withKind = ({ name, kind }: CaseReport, label: string) => `${name}: ${label}${kind === 'wasm' ? ' (WASM)' : ''}`;

/** Shares of peak of the kernels, and how many times as long other engines take. */
export function barsOf(reports: readonly CaseReport[]): { shares: Bar[]; ratios: Bar[] } {
  const drawn = reports.filter(({ name }) => name !== lengthLadder.name && name !== peaks.name);
  const shares = drawn.flatMap((report) => {
    const engines = new Set(report.comparisons.filter(({ peer }) => peer).map(({ slow }) => slow));
    return report.results
      .filter(({ label, flops, unit }) => flops > 0 && unit === 'flop' && !engines.has(label) && leading(report, label))
      .map(({ label, shareOfPeak }) => ({
        label: withKind(report, label),
        value: 100 * shareOfPeak,
        color: colors[report.kind],
      }));
  });
  const ratios = drawn.flatMap((report) =>
    report.comparisons
      .filter(({ peer, fast }) => peer && leading(report, fast))
      .map(({ slow, ratio }) => ({ label: withKind(report, slow), value: ratio, color: colors[report.kind] })),
  );
  return { shares, ratios };
}

/** Bars: shares of the multiply-add peak above, other engines' times over ours below, on a logarithmic axis. */
export function barFigure(reports: readonly CaseReport[], machine: string): string {
  const { shares, ratios } = barsOf(reports);
  const largest = Math.max(2, ...ratios.map(({ value }) => value));
  const smallest = Math.min(1, ...ratios.map(({ value }) => value));
  const panels = [
    {
      title: 'Share of the multiply-add peak (%)',
      bars: shares,
      x: { domain: [0, Math.max(100, ...shares.map(({ value }) => value))], label: null, grid: true },
      from: 0,
      text: (bar: Bar) => `${bar.value.toFixed(0)} %`,
    },
    {
      title: 'Time of other engines over ours (logarithmic; 1: as fast)',
      bars: ratios,
      x: {
        type: 'log' as const,
        domain: [smallest, largest],
        label: null,
        grid: true,
        ticks: [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200].filter((tick) => tick >= smallest && tick <= largest),
        tickFormat: (tick: number) => `${tick}`,
      },
      from: 1,
      text: (bar: Bar) => `${bar.value < 10 ? bar.value.toFixed(1) : bar.value.toFixed(0)} ×`,
    },
  ].filter(({ bars }) => bars.length > 0);

  let y = 62;
  const drawn = panels.map(({ title, bars, x, from, text }) => {
    const height = bars.length * ROW_HEIGHT + 46;
    const plot = svgOf({
      width: WIDTH,
      height,
      marginLeft: MARGIN_LEFT,
      marginRight: MARGIN_RIGHT,
      x,
      y: { domain: bars.map(({ label }) => label), label: null, tickSize: 0 },
      marks: [
        Plot.barX(bars, { y: 'label', x1: from, x2: 'value', fill: 'color' }),
        Plot.text(bars, {
          y: 'label',
          x: (bar: Bar) => Math.max(from, bar.value),
          text,
          textAnchor: 'start',
          dx: 5,
        }),
        Plot.ruleX([from]),
      ],
    });
    const place = `<g transform="translate(0,${y})">${heading(title, 20, 14, 13, 'bold')}<g transform="translate(0,14)">${plot}</g></g>`;
    y += height + 34;
    return place;
  });
  const legend = (['native', 'wasm'] as const)
    .filter((kind) => reports.some((report) => report.kind === kind))
    .map((kind, i) => {
      const backends = [
        ...new Set(reports.filter((report) => report.kind === kind).map((report) => report.backends.at(-1))),
      ];
      const x = 20 + 260 * i;
      return `<rect x="${x}" y="36" width="12" height="12" fill="${colors[kind]}"/>${heading(backends.join('; '), x + 18, 46, 12)}`;
    });
  return frame(y, [heading(machine, 20, 24, 13, 'bold'), ...legend, ...drawn]);
}

/** Time against length of exact and FAVOR+ attention, both axes logarithmic, one panel per kind of backend. */
export function lengthFigure(reports: readonly CaseReport[], machine: string): string {
  const height = 420;
  const panels = reports.map((report, i) => {
    const backend = report.backends.at(-1) as string;
    const suffix = report.backends.length > 1 ? `, ${backend.split(', ')[1]}` : '';
    const lengths = ladderLengths(report.kind);
    const time = (label: string) =>
      report.results.find((result) => result.label === `${label}${suffix}`)?.milliseconds ?? Number.NaN;
    const series = [
      { name: 'exact attention', at: exactAt, color: '#d55e00' },
      { name: 'FAVOR+', at: favorAt, color: '#0072b2' },
    ];
    const rows = series.flatMap(({ name, at, color }) =>
      lengths.map((length) => ({ name, color, length, milliseconds: time(at(length)) })),
    );
    const overtakes = crossover(
      lengths.map((length) => ({ length, slow: time(exactAt(length)), fast: time(favorAt(length)) })),
    );
    const plot = svgOf({
      width: WIDTH - 20,
      height,
      marginLeft: 64,
      marginRight: 130,
      marginBottom: 44,
      x: {
        type: 'log',
        base: 2,
        label: 'length (tokens)',
        ticks: lengths as number[],
        tickFormat: (x: number) => `${x}`,
      },
      y: { type: 'log', label: 'time of a forward pass (ms)', grid: true, tickFormat: (y: number) => `${y}` },
      marks: [
        ...(overtakes === undefined ? [] : [Plot.ruleX([overtakes], { stroke: '#999', strokeDasharray: '4 3' })]),
        Plot.line(rows, { x: 'length', y: 'milliseconds', z: 'name', stroke: 'color', strokeWidth: 2.5 }),
        Plot.dot(rows, { x: 'length', y: 'milliseconds', fill: 'color', r: 4 }),
        Plot.text(
          rows.filter(({ length }) => length === lengths.at(-1)),
          { x: 'length', y: 'milliseconds', text: 'name', fill: 'color', textAnchor: 'start', dx: 10 },
        ),
      ],
    });
    const crossing = overtakes === undefined ? '' : `: FAVOR+ is faster from ${Math.round(overtakes)} tokens on`;
    const title = heading(`${backend}${crossing}`, 20, 14, 13, 'bold');
    return `<g transform="translate(0,${44 + i * (height + 40)})">${title}<g transform="translate(0,20)">${plot}</g></g>`;
  });
  return frame(50 + reports.length * (height + 40), [heading(machine, 20, 24, 12), ...panels]);
}

function frame(height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="${fontFamily}">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function svgOf(options: Plot.PlotOptions): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const plot = Plot.plot({ ...options, document, style: { fontSize: '12px', fontFamily, overflow: 'visible' } });
  // Its rules are for a page, and stretch a plot inside an SVG.
  plot.querySelector('style')?.remove();
  return plot.outerHTML;
}

function heading(value: string, x: number, y: number, size: number, weight = 'normal'): string {
  const escaped = value.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  return `<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}" fill="#222">${escaped}</text>`;
}
