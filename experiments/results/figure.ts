import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as Plot from '@observablehq/plot';
import { Resvg } from '@resvg/resvg-js';
import { parseHTML } from 'linkedom';

const fontFamily = "'DejaVu Sans', system-ui, sans-serif";

/** Colours that stay apart for colour-blind readers (Okabe and Ito). */
export const colors = {
  blue: '#0072b2',
  orange: '#d55e00',
  green: '#009e73',
  pink: '#cc79a7',
  amber: '#e69f00',
  sky: '#56b4e9',
  black: '#222222',
  grey: '#777777',
} as const;

/** One plot of a figure, its top left corner at a place in pixels. */
export interface Panel {
  readonly x: number;
  readonly y: number;
  /** Above the plot; the legend goes between them. */
  readonly title?: string;
  readonly legend?: readonly LegendEntry[];
  /** Of the legend. Default: all. */
  readonly entriesPerRow?: number;
  readonly plot: Plot.PlotOptions;
}

export interface LegendEntry {
  readonly label: string;
  readonly color: string;
  readonly dash?: string;
  /** Draw a dot instead of a line. */
  readonly dot?: boolean;
}

export interface FigureOptions {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  readonly subtitle: string;
  readonly panels: readonly Panel[];
}

/** Several plots under one title, as SVG. */
export function figure(options: FigureOptions): string {
  const { width, height, title, subtitle } = options;
  const panels = options.panels.map(drawPanel);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${fontFamily}">`,
    `<title>${escapeText(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    text(20, 28, title, { size: 17, weight: 'bold' }),
    text(20, 48, subtitle, { size: 12, color: '#555' }),
    ...panels,
    '</svg>\n',
  ].join('\n');
}

function drawPanel({ x, y, title, legend = [], entriesPerRow = legend.length, plot: options }: Panel): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const plot = Plot.plot({ ...options, document, style: { fontSize: '12px', fontFamily, overflow: 'visible' } });
  // Its rules are for a page, and stretch a plot inside an SVG.
  plot.querySelector('style')?.remove();
  plot.setAttribute('x', `${x}`);
  plot.setAttribute('y', `${y}`);
  const rows = Array.from({ length: Math.ceil(legend.length / Math.max(1, entriesPerRow)) }, (_, row) =>
    legend.slice(row * entriesPerRow, (row + 1) * entriesPerRow),
  );
  const heading = title ? text(x, y - 8 - 19 * rows.length, title, { size: 13, weight: 'bold' }) : '';
  return [heading, ...drawLegend(rows, x, y), plot.outerHTML].join('');
}

/** Width of a label, roughly: the font's average character. */
const textWidth = (label: string, size: number) => label.length * size * 0.58;

/** Entries in columns, as wide as their widest label. */
function drawLegend(rows: readonly (readonly LegendEntry[])[], x: number, y: number): string[] {
  const columns = rows[0]?.map((_, c) => Math.max(...rows.map((row) => textWidth(row[c]?.label ?? '', 12)))) ?? [];
  const left = (column: number) => x + columns.slice(0, column).reduce((sum, width) => sum + 46 + width, 0);
  return rows.flatMap((row, r) => row.map((entry, c) => drawEntry(entry, left(c), y - 8 - 19 * (rows.length - 1 - r))));
}

function drawEntry({ label, color, dash, dot }: LegendEntry, x: number, y: number): string {
  const dashes = dash ? ` stroke-dasharray="${dash}"` : '';
  const mark = dot
    ? `<circle cx="${x + 11}" cy="${y - 4}" r="3.5" fill="${color}"/>`
    : `<line x1="${x}" y1="${y - 4}" x2="${x + 22}" y2="${y - 4}" stroke="${color}" stroke-width="2.5"${dashes}/>`;
  return mark + text(x + 28, y, label, { size: 12 });
}

function text(
  x: number,
  y: number,
  content: string,
  { size, weight = 'normal', color = '#222' }: { size: number; weight?: string; color?: string },
): string {
  return `<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}" fill="${color}">${escapeText(content)}</text>`;
}

const escapeText = (content: string) => content.replace(/&/g, '&amp;').replace(/</g, '&lt;');

/** Renders at twice the size, with the font that comes with the project, so that it looks the same everywhere. */
export async function toPng(svg: string): Promise<Uint8Array> {
  const folder = join(dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')), 'ttf');
  const image = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: 2 },
    font: {
      loadSystemFonts: false,
      fontFiles: [join(folder, 'DejaVuSans.ttf'), join(folder, 'DejaVuSans-Bold.ttf')],
      defaultFontFamily: 'DejaVu Sans',
      sansSerifFamily: 'DejaVu Sans',
    },
  });
  return image.render().asPng();
}

const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** `10⁻²` for 0.01. */
function powerOfTen(value: number): string {
  const exponent = Math.round(Math.log10(value));
  if (exponent >= -1 && exponent <= 1) return `${10 ** exponent}`;
  const digits = [...`${Math.abs(exponent)}`].map((digit) => superscripts[Number(digit)]).join('');
  return `10${exponent < 0 ? '⁻' : ''}${digits}`;
}

/** A logarithmic scale that holds the values: ticks at powers of ten, closer ones where there are few of these. */
export function logScale(values: readonly number[], label: string) {
  const finite = values.filter((value) => value > 0 && Number.isFinite(value));
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const decades = Math.log10(high / low);
  const margin = 10 ** (0.04 * decades + 0.01);
  const firsts =
    decades > 2 ? [1] : decades > 0.6 ? [1, 2, 5] : [1, 1.1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 4, 5, 6, 7, 8, 9];
  const every = Math.ceil(decades / 7);
  const ticks = Array.from({ length: 60 }, (_, i) => i - 30)
    .filter((exponent) => exponent % every === 0)
    .flatMap((exponent) => firsts.map((first) => first * 10 ** exponent))
    .filter((tick) => tick >= low / margin && tick <= high * margin);
  return {
    type: 'log',
    label,
    grid: true,
    domain: [low / margin, high * margin],
    ticks,
    tickFormat: formatTick,
  } as const;
}

/** A logarithmic scale whose ticks are the values, which double. */
function doublingScale(values: readonly number[], label: string) {
  const ticks = [...new Set(values)];
  // To base 2, or Plot leaves ticks out that are far from a power of ten.
  return { ...logScale(values, label), base: 2, ticks, tickFormat: (tick: number) => `${tick}` } as const;
}

/** A point of a line, which is those of one colour, with its interval if it has one. */
export interface LinePoint {
  readonly x: number;
  readonly y: number;
  readonly color: string | undefined;
  readonly low?: number;
  readonly high?: number;
}

interface DoublingAxes {
  readonly size: { readonly width: number; readonly height: number };
  /** What doubles, and what is measured. */
  readonly labels: readonly [x: string, y: string];
  /** What the scale has room for. Default: the points and their intervals. */
  readonly shown?: readonly number[];
}

/** Lines over numbers that double, on logarithmic scales. */
export function doublingPlot(points: readonly LinePoint[], { size, labels, shown }: DoublingAxes): Plot.PlotOptions {
  const intervals = points.filter(({ low }) => low !== undefined);
  const values = shown ?? points.flatMap(({ y, low = y, high = y }) => [low, high]);
  const rule = Plot.ruleX(intervals, { x: 'x', y1: 'low', y2: 'high', stroke: 'color', strokeWidth: 1.5 });
  return {
    ...size,
    marginLeft: 58,
    marginBottom: 42,
    x: doublingScale(
      points.map(({ x }) => x),
      labels[0],
    ),
    y: logScale(values, labels[1]),
    marks: [
      ...(intervals.length > 0 ? [rule] : []),
      Plot.line(points, { x: 'x', y: 'y', z: 'color', stroke: 'color', strokeWidth: 2 }),
      Plot.dot(points, { x: 'x', y: 'y', fill: 'color', r: 3 }),
    ],
  };
}

/** `0.02`, `200`, `2·10⁻⁵`, `10⁴` */
function formatTick(tick: number): string {
  if (tick >= 1e-3 && tick < 1e3) return `${Number(tick.toPrecision(2))}`;
  const power = 10 ** Math.floor(Math.log10(tick) + 1e-9);
  const first = Number((tick / power).toPrecision(2));
  return first === 1 ? powerOfTen(power) : `${first}·${powerOfTen(power)}`;
}

/** Colours of an ordered series, light to dark. */
export const seriesColors = ['#56b4e9', '#0072b2', '#009e73', '#e69f00', '#d55e00', '#cc79a7', '#222222'] as const;
