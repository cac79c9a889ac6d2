import * as Plot from '@observablehq/plot';
import { colors, figure, logScale, type Panel, seriesColors } from '../results/figure.ts';
import type { TheoremsConfiguration } from './configuration.ts';
import type { OrthogonalPoint } from './orthogonal.ts';
import type { RegularisedNumbers } from './regularised.ts';
import type { TheoremsNumbers } from './run.ts';
import type { UniformNumbers } from './uniform.ts';

const size = { width: 540, height: 340, marginLeft: 62, marginBottom: 42 };

export function draw(numbers: TheoremsNumbers, configuration: TheoremsConfiguration): string {
  return figure({
    width: 1150,
    height: 890,
    title: 'Three statements of the paper, in closed form and measured',
    subtitle: 'd: head width, z = x + y; dots: measured with 95 % intervals.',
    panels: [
      regularisedPanel(numbers.regularised, 20, 112),
      errorPanel(numbers.orthogonal, 600, 112),
      gainPanel(numbers.orthogonal, 20, 540),
      uniformPanel(numbers.uniform, configuration.uniform, 600, 540),
    ],
  });
}

/** A colour for each value of ‖z‖², with its place in a legend. */
function squaredSums(points: readonly { readonly squaredSum: number }[], shown = (_sum: number) => true) {
  const sums = [...new Set(points.map(({ squaredSum }) => squaredSum))].filter(shown);
  const color = (squaredSum: number) => seriesColors[sums.indexOf(squaredSum)];
  const legend = sums.map((sum, i) => ({ label: i === 0 ? `‖z‖² = ${sum}` : `${sum}`, color: color(sum) }));
  return { sums, color, legend };
}

const powersOfTwo = (values: readonly number[], label: string) => ({
  type: 'log' as const,
  base: 2,
  label,
  ticks: [...new Set(values)],
  tickFormat: (value: number) => `${value}`,
});

function regularisedPanel({ points }: RegularisedNumbers, x: number, y: number): Panel {
  const { sums, color, legend } = squaredSums(points);
  const rows = points.map((point) => ({ ...point, color: color(point.squaredSum) }));
  const measured = rows.flatMap(({ dHead, color, measured }) => (measured ? [{ dHead, color, ...measured }] : []));
  return {
    x,
    y,
    title: 'Theorem 1: SMREG / SM lies between 1 − 2/d^⅓ and 1',
    legend: [...legend, { label: 'bound', color: colors.black, dash: '5 3' }],
    plot: {
      ...size,
      x: powersOfTwo(
        rows.map(({ dHead }) => dHead),
        'd',
      ),
      y: { label: 'SMREG / SM', domain: [0, 1.02], grid: true },
      marks: [
        Plot.ruleY([1], { stroke: colors.grey }),
        Plot.line(
          rows.filter(({ squaredSum, bound }) => squaredSum === sums[0] && bound >= 0),
          { x: 'dHead', y: 'bound', stroke: colors.black, strokeDasharray: '5 3', strokeWidth: 2 },
        ),
        Plot.line(rows, { x: 'dHead', y: 'ratio', z: 'color', stroke: 'color', strokeWidth: 2 }),
        Plot.ruleX(measured, { x: 'dHead', y1: 'low', y2: 'high', stroke: 'color' }),
        Plot.dot(measured, { x: 'dHead', y: 'mean', fill: 'color', r: 3 }),
      ],
    },
  };
}

function errorPanel(all: readonly OrthogonalPoint[], x: number, y: number): Panel {
  const dHeads = [...new Set(all.map(({ dHead }) => dHead))];
  const dHead = dHeads.includes(16) ? 16 : dHeads[0];
  const points = all.filter((point) => point.dHead === dHead);
  const kinds = [
    { kind: 'independent', color: colors.orange },
    { kind: 'orthogonal', color: colors.blue },
  ] as const;
  return {
    x,
    y,
    title: `Theorem 2: orthogonal directions gain at least this much (m = d = ${dHead})`,
    legend: [
      { label: 'independent', color: colors.orange },
      { label: 'orthogonal', color: colors.blue },
      { label: 'promised at most', color: colors.black, dash: '5 3' },
    ],
    plot: {
      ...size,
      x: { label: '‖z‖²', ticks: points.map(({ squaredSum }) => squaredSum), tickFormat: (sum: number) => `${sum}` },
      y: logScale(
        points.flatMap(({ orthogonal, independent }) => [orthogonal.closedForm, independent.closedForm]),
        'mean squared error of positive features',
      ),
      marks: [
        Plot.line(points, {
          x: 'squaredSum',
          y: 'bound',
          stroke: colors.black,
          strokeDasharray: '5 3',
          strokeWidth: 2,
        }),
        ...kinds.flatMap(({ kind, color }) => [
          Plot.line(points, { x: 'squaredSum', y: (point) => point[kind].closedForm, stroke: color, strokeWidth: 2 }),
          Plot.ruleX(points, {
            x: 'squaredSum',
            y1: (point) => point[kind].measured.low,
            y2: (point) => point[kind].measured.high,
            stroke: color,
          }),
          Plot.dot(points, { x: 'squaredSum', y: (point) => point[kind].measured.mean, fill: color, r: 3 }),
        ]),
      ],
    },
  };
}

function gainPanel(all: readonly OrthogonalPoint[], x: number, y: number): Panel {
  const { sums, color, legend } = squaredSums(all, (sum) => sum <= 1 && sum !== 0.75);
  const points = all
    .filter(({ squaredSum }) => sums.includes(squaredSum))
    // Side by side, so that intervals do not cover each other.
    .map((point) => {
      const shift = 1.03 ** (sums.indexOf(point.squaredSum) - (sums.length - 1) / 2);
      return { ...point, at: point.dHead * shift, color: color(point.squaredSum) };
    });
  return {
    x,
    y,
    title: 'Theorem 2: what orthogonal directions gain, over what is promised (m = d)',
    legend: [...legend, { label: 'promised', color: colors.black, dash: '5 3' }],
    plot: {
      ...size,
      x: powersOfTwo(
        points.map(({ dHead }) => dHead),
        'd',
      ),
      y: {
        label: 'gain / promised gain',
        grid: true,
        domain: [0, Math.max(2, ...points.map(({ gain }) => gain.measured.high)) * 1.05],
      },
      marks: [
        Plot.ruleY([1], { stroke: colors.black, strokeDasharray: '5 3', strokeWidth: 2 }),
        Plot.line(points, {
          x: 'at',
          y: (point) => point.gain.closedForm,
          z: 'color',
          stroke: 'color',
          strokeWidth: 2,
        }),
        Plot.ruleX(points, {
          x: 'at',
          y1: (point) => point.gain.measured.low,
          y2: (point) => point.gain.measured.high,
          stroke: 'color',
        }),
        Plot.dot(points, { x: 'at', y: (point) => point.gain.measured.mean, fill: 'color', r: 3 }),
      ],
    },
  };
}

function uniformPanel(
  all: readonly UniformNumbers[],
  { error, radius }: TheoremsConfiguration['uniform'],
  x: number,
  y: number,
): Panel {
  const series = all.map((numbers, i) => ({
    ...numbers,
    color: seriesColors[i],
    shift: 1.03 ** (i - (all.length - 1) / 2),
  }));
  const rows = series.flatMap(({ color, needed, shift }) =>
    needed.flatMap(({ length, directions }) =>
      directions ? [{ at: length * shift, color, length, ...directions }] : [],
    ),
  );
  const suprema = series.flatMap(({ color, supremum }) => (supremum ? [{ color, directions: supremum.mean }] : []));
  return {
    x,
    y,
    title: `Theorem 4: directions for an error ≤ ${error} at all pairs, ‖x‖ = ‖y‖ = ${radius}`,
    legend: [
      ...series.map(({ dHead, color }) => ({ label: `d = ${dHead}`, color })),
      { label: 'any L', color: colors.grey, dash: '5 3' },
    ],
    plot: {
      ...size,
      x: powersOfTwo(
        rows.map(({ length }) => length),
        'L, number of queries and keys',
      ),
      y: logScale(
        [...rows.flatMap(({ low, high }) => [low, high]), ...suprema.map(({ directions }) => directions)],
        'm, number of directions (trigonometric features)',
      ),
      marks: [
        Plot.ruleY(suprema, { y: 'directions', stroke: 'color', strokeDasharray: '5 3', strokeWidth: 1.5 }),
        Plot.line(rows, { x: 'at', y: 'mean', z: 'color', stroke: 'color', strokeWidth: 2 }),
        Plot.ruleX(rows, { x: 'at', y1: 'low', y2: 'high', stroke: 'color' }),
        Plot.dot(rows, { x: 'at', y: 'mean', fill: 'color', r: 3 }),
      ],
    },
  };
}
