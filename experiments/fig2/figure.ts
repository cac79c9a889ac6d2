import * as Plot from '@observablehq/plot';
import { colors, figure, logScale, type Panel } from '../results/figure.ts';
import type { Fig2Configuration } from './configuration.ts';
import type { Fig2Numbers, RatioPoint } from './run.ts';

const decades = 4;
const colorScale = { type: 'linear', scheme: 'RdBu', domain: [decades, -decades], clamp: true } as const;
const angleTicks = [-Math.PI, -Math.PI / 2, 0, Math.PI / 2, Math.PI];
const angleNames = ['−π', '−π/2', '0', 'π/2', 'π'];
const angleAxis = {
  label: 'angle φ between x and y',
  ticks: angleTicks,
  tickFormat: (angle: number) => angleNames[angleTicks.indexOf(angle)],
  domain: [-Math.PI, Math.PI],
};

export function draw(numbers: Fig2Numbers, configuration: Fig2Configuration): string {
  const { numDirections, draws, sliceLength } = configuration;
  const measured = (point: RatioPoint) => point.measured?.mean;
  return figure({
    width: 1120,
    height: 850,
    title: 'Figure 2 · Ratio r of mean squared errors, trigonometric over positive features',
    subtitle: `‖x‖ = ‖y‖ = l; measured: ${draws.toLocaleString('en-US')} estimates of ${numDirections} independent directions. Blue: positive features are better.`,
    panels: [
      heatMap(numbers, configuration, 20, 'Closed form', ({ closedForm }) => closedForm),
      heatMap(numbers, configuration, 520, 'Measured (grey: too few estimates for a mean)', measured),
      colorBar(1020, 96),
      slicePanel(numbers, sliceLength),
      errorPanel(numbers, configuration),
    ],
  });
}

function heatMap(
  { grid }: Fig2Numbers,
  { gridAngles, gridLengths, maxLength }: Fig2Configuration,
  x: number,
  title: string,
  value: (point: RatioPoint) => number | undefined,
): Panel {
  const [halfAngle, halfLength] = [Math.PI / gridAngles / 2, maxLength / gridLengths / 2];
  const cells = grid.flatMap((point) => {
    const ratio = value(point);
    if (ratio === undefined) return [];
    return [-1, 1].flatMap((a) =>
      [-1, 1].map((l) => ({ angle: a * point.angle, length: l * point.length, fill: Math.log10(ratio) })),
    );
  });
  return {
    x,
    y: 96,
    title,
    plot: {
      width: 480,
      height: 350,
      marginLeft: 50,
      marginBottom: 42,
      x: angleAxis,
      y: { label: 'length l', domain: [-maxLength, maxLength] },
      color: colorScale,
      marks: [
        Plot.frame({ fill: '#d9d9d9', stroke: null }),
        Plot.rect(cells, {
          x1: ({ angle }) => angle - halfAngle,
          x2: ({ angle }) => angle + halfAngle,
          y1: ({ length }) => length - halfLength,
          y2: ({ length }) => length + halfLength,
          fill: 'fill',
          shapeRendering: 'crispEdges',
        }),
      ],
    },
  };
}

/** The colours' meaning. */
function colorBar(x: number, y: number): Panel {
  const steps = Array.from({ length: 64 }, (_, i) => -decades + ((i + 0.5) * 2 * decades) / 64);
  const half = decades / 64;
  const names = ['≤ 10⁻⁴', '10⁻²', '1', '10²', '≥ 10⁴'];
  return {
    x,
    y,
    title: 'r',
    plot: {
      width: 90,
      height: 350,
      marginLeft: 4,
      marginRight: 62,
      marginBottom: 42,
      x: { axis: null, domain: [0, 1] },
      y: {
        axis: 'right',
        label: null,
        domain: [-decades, decades],
        ticks: [-4, -2, 0, 2, 4],
        tickFormat: (exponent: number) => names[exponent / 2 + 2],
      },
      color: colorScale,
      marks: [
        Plot.rect(steps, {
          x1: 0,
          x2: 1,
          y1: (step: number) => step - half,
          y2: (step: number) => step + half,
          fill: (step: number) => step,
          shapeRendering: 'crispEdges',
        }),
      ],
    },
  };
}

const mirrored = (points: readonly RatioPoint[]) => [
  ...points.map((point) => ({ ...point, angle: -point.angle })).reverse(),
  ...points,
];

function slicePanel({ slice }: Fig2Numbers, length: number): Panel {
  const points = mirrored(slice);
  const measured = points.flatMap(({ angle, measured }) => (measured ? [{ angle, ...measured }] : []));
  return {
    x: 20,
    y: 510,
    title: `Slice at l = ${length}`,
    legend: [
      { label: 'closed form', color: colors.blue },
      { label: 'measured, 95 % interval', color: colors.orange, dot: true },
    ],
    plot: {
      width: 520,
      height: 320,
      marginLeft: 60,
      marginBottom: 42,
      x: angleAxis,
      y: logScale(
        points.map(({ closedForm }) => closedForm),
        'r',
      ),
      marks: [
        Plot.ruleY([1], { stroke: colors.grey, strokeDasharray: '4 3' }),
        Plot.line(points, { x: 'angle', y: 'closedForm', stroke: colors.blue, strokeWidth: 2 }),
        Plot.ruleX(measured, { x: 'angle', y1: 'low', y2: 'high', stroke: colors.orange, strokeWidth: 1.5 }),
        Plot.dot(measured, { x: 'angle', y: 'mean', fill: colors.orange, r: 2.5 }),
      ],
    },
  };
}

/** Both errors where the kernel is small, as in the corner of the paper's figure. */
function errorPanel({ slice }: Fig2Numbers, { sliceLength, numDirections }: Fig2Configuration): Panel {
  const rows = slice.flatMap(({ angle, mse }) => (mse ? [{ angle, ...mse }] : []));
  const kinds = [
    { kind: 'trigonometric', color: colors.orange },
    { kind: 'positive', color: colors.blue },
  ] as const;
  const ticks = [Math.PI / 2, (3 * Math.PI) / 4, Math.PI];
  return {
    x: 560,
    y: 510,
    title: `Mean squared errors where the kernel is small (l = ${sliceLength}, m = ${numDirections})`,
    legend: [
      { label: 'trigonometric, measured', color: colors.orange },
      { label: 'positive, measured', color: colors.blue },
    ],
    plot: {
      width: 540,
      height: 320,
      marginLeft: 60,
      marginBottom: 42,
      x: {
        label: 'angle φ',
        ticks,
        tickFormat: (angle: number) => ['π/2', '3π/4', 'π'][ticks.indexOf(angle)],
        domain: [Math.PI / 2, Math.PI],
      },
      y: logScale(
        rows.flatMap((row) => kinds.map(({ kind }) => row[kind].mean)),
        'mean squared error',
      ),
      marks: kinds.flatMap(({ kind, color }) => {
        const inside = rows.filter(({ angle }) => angle >= Math.PI / 2);
        return [
          Plot.line(inside, { x: 'angle', y: (row) => row[kind].mean, stroke: color, strokeWidth: 1.5 }),
          Plot.ruleX(inside, { x: 'angle', y1: (row) => row[kind].low, y2: (row) => row[kind].high, stroke: color }),
          Plot.dot(inside, { x: 'angle', y: (row) => row[kind].mean, fill: color, r: 2.5 }),
        ];
      }),
    },
  };
}
