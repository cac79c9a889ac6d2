import * as Plot from '@observablehq/plot';
import { colors, figure, type LegendEntry, logScale, type Panel } from '../results/figure.ts';
import type { Fig4Configuration } from './configuration.ts';
import { estimatorLines } from './estimators.ts';
import type { Fig4Numbers, InputNumbers } from './run.ts';

/** Colour and dash of every line; the same line looks the same in all panels. */
const looks: Record<string, { color: string; dash?: string }> = {
  'trigonometric, independent': { color: colors.orange, dash: '5 3' },
  'trigonometric, orthogonal': { color: colors.orange },
  'positive, independent': { color: colors.blue, dash: '5 3' },
  'positive, orthogonal': { color: colors.blue },
  'hyperbolic, orthogonal': { color: colors.green },
  'FAVOR++, orthogonal': { color: colors.pink },
  'positive, simplex': { color: colors.amber },
  'positive, Givens': { color: colors.sky },
  'positive, Hadamard': { color: colors.black, dash: '2 3' },
};

const names = estimatorLines.map(({ name }) => name);
const ofPaper = names.slice(0, 4);
const others = names.slice(3);

export function draw(numbers: Fig4Numbers, configuration: Fig4Configuration): string {
  const { gaussian, trained, model } = configuration;
  const text = {
    place: `trained on text, causal (L = ${model.length}, d = ${model.dModel / model.numHeads})`,
    label: 'relative squared error of the output',
    ...numbers.trained,
  };
  const columns = [
    ...numbers.gaussian.map((numbers) => ({
      place: `normal, σ(q) = σ(k) = ${numbers.deviation} (L = ${gaussian.length}, d = ${gaussian.dHead})`,
      label: 'mean squared error of the output',
      ...numbers,
    })),
    text,
  ];
  return figure({
    width: 20 + 500 * columns.length,
    height: 965,
    title: 'Figure 4 · Error of attention against the number of random directions',
    subtitle: `Geometric means and 95 % intervals over draws of inputs and directions (${gaussian.draws} of normal inputs, ${trained.draws} of trained ones). Trigonometric and hyperbolic maps take 2m features.`,
    panels: columns.flatMap((column, i) => [
      linesPanel(column, ofPaper, { x: 20 + 500 * i, y: 134, title: `The paper's four: ${column.place}` }),
      linesPanel(column, others, { x: 20 + 500 * i, y: 612, title: `Positive features: ${column.place}` }),
    ]),
  });
}

function linesPanel(
  { lines, label }: InputNumbers & { readonly label: string },
  shown: readonly string[],
  place: { readonly x: number; readonly y: number; readonly title: string },
): Panel {
  // Lines side by side, so that their intervals do not cover each other.
  const rows = lines
    .filter(({ name }) => shown.includes(name))
    .flatMap(({ name, errors }) => {
      const shift = 1.02 ** (shown.indexOf(name) - (shown.length - 1) / 2);
      return errors.map(({ numDirections, error }) => ({ name, at: numDirections * shift, ...error, ...looks[name] }));
    });
  const legend = shown.map((name): LegendEntry => ({ label: name, ...looks[name] }));
  return {
    ...place,
    legend,
    entriesPerRow: 2,
    plot: {
      width: 480,
      height: 340,
      marginLeft: 66,
      marginBottom: 42,
      x: {
        type: 'log',
        base: 2,
        label: 'm, number of random directions',
        ticks: lines[0].errors.map(({ numDirections }) => numDirections),
        tickFormat: (m: number) => `${m}`,
      },
      y: logScale(
        rows.flatMap(({ low, high }) => [low, high]),
        label,
      ),
      marks: [
        Plot.ruleX(rows, { x: 'at', y1: 'low', y2: 'high', stroke: 'color', strokeWidth: 1.2 }),
        ...shown.map((name) =>
          Plot.line(
            rows.filter((row) => row.name === name),
            { x: 'at', y: 'mean', stroke: 'color', strokeDasharray: looks[name].dash, strokeWidth: 2 },
          ),
        ),
        Plot.dot(rows, { x: 'at', y: 'mean', fill: 'color', r: 2.5 }),
      ],
    },
  };
}
