import * as Plot from '@observablehq/plot';
import { figure, logScale, type Panel, seriesColors } from '../results/figure.ts';
import type { Fig14Configuration } from './configuration.ts';
import type { DepthLine, Fig14Numbers } from './run.ts';

export function draw(numbers: Fig14Numbers, { draws, trained, random }: Fig14Configuration): string {
  const panel = { width: 540, height: 360 };
  return figure({
    width: 1140,
    height: 500,
    title: 'Figure 14 · Error of a Performer with a Transformer’s parameters, by depth',
    subtitle: `Width ${trained.dModel}, ${trained.numHeads} heads, ${trained.length} tokens of held-out text; positive orthogonal features; means and 95 % intervals over ${draws} draws.`,
    panels: [
      depthPanel(numbers.random, 20, `Parameters as drawn, ${random.numLayers} layers`, panel),
      depthPanel(numbers.trained, 590, `Trained, ${trained.numLayers} layers`, panel),
    ],
  });
}

function depthPanel(
  lines: readonly DepthLine[],
  x: number,
  title: string,
  size: { width: number; height: number },
): Panel {
  const rows = lines.flatMap(({ numFeatures, errors }, i) =>
    errors.map((error, n) => ({ numFeatures, layer: n + 1, color: seriesColors[2 * i], ...error })),
  );
  return {
    x,
    y: 116,
    title,
    legend: lines.map(({ numFeatures }, i) => ({ label: `m = ${numFeatures}`, color: seriesColors[2 * i] })),
    plot: {
      ...size,
      marginLeft: 62,
      marginBottom: 42,
      x: {
        label: 'layers',
        ticks: [...new Set(rows.map(({ layer }) => layer))],
        tickFormat: (layer: number) => `${layer}`,
      },
      y: logScale(
        rows.flatMap(({ low, high }) => [low, high]),
        'relative error of the hidden state',
      ),
      marks: [
        Plot.ruleX(rows, { x: 'layer', y1: 'low', y2: 'high', stroke: 'color', strokeWidth: 1.5 }),
        Plot.line(rows, { x: 'layer', y: 'mean', z: 'color', stroke: 'color', strokeWidth: 2 }),
        Plot.dot(rows, { x: 'layer', y: 'mean', fill: 'color', r: 3 }),
      ],
    },
  };
}
