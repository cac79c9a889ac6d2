import * as Plot from '@observablehq/plot';
import { lineStyles } from '../results/curves.ts';
import { figure, type LegendEntry, type LinePoint, logScale, type Panel } from '../results/figure.ts';
import { mean, standardError } from '../results/statistics.ts';
import type { RecallConfiguration } from './configuration.ts';
import { accuraciesOf, type RecallNumbers } from './run.ts';

const plotSize = { width: 540, height: 380, marginLeft: 56, marginBottom: 42 };
const accuracyScale = { label: 'accuracy, %', grid: true, domain: [0, 100] } as const;

export function draw({ outcomes, states }: RecallNumbers, { model, training, numRuns }: RecallConfiguration): string {
  const { sizes } = training;
  const styles = lineStyles(outcomes.map(({ name }) => name));
  const styleOf = (name: string) => styles.get(name) as LegendEntry;
  const point = (x: number, outcome: RecallNumbers['outcomes'][number], size: (typeof sizes)[number]) => {
    const values = accuraciesOf(outcome, size);
    const [y, error] = [mean(values), standardError(values) || 0];
    return { ...{ x, y, low: y - error, high: y + error }, ...fillOf(styleOf(outcome.name)) };
  };
  const byPairs = outcomes.map((outcome) => ({
    name: outcome.name,
    points: sizes.map((size) => point(size.pairs, outcome, size)),
  }));
  const largest = sizes.at(-1)!;
  const byState = outcomes.map((outcome, i) => point(states[i]!.at(-1)!, outcome, largest));
  const legend = [...styles.values()];
  const y = 84 + 19 * Math.ceil(legend.length / 2);
  const ticks = sizes.map(({ pairs }) => pairs);
  const panels: Panel[] = [
    {
      ...{ x: 20, y, title: 'By the number of pairs in a sequence', legend, entriesPerRow: 2 },
      plot: {
        ...plotSize,
        // To base 2, or Plot leaves out the label of 8.
        x: { ...logScale(ticks, 'pairs'), base: 2, ticks, tickFormat: String },
        y: accuracyScale,
        marks: byPairs.flatMap(({ name, points }) => {
          const strokeDasharray = styleOf(name).dash ?? 'none';
          return [
            Plot.line(points, { x: 'x', y: 'y', stroke: 'color', strokeWidth: 2, strokeDasharray }),
            ...dots(points),
          ];
        }),
      },
    },
    {
      ...{ x: 590, y, title: `${largest.pairs} pairs in ${largest.length} tokens, by the state of a layer` },
      plot: {
        ...plotSize,
        x: logScale(
          byState.map(({ x }) => x),
          'numbers that a layer keeps for decoding',
        ),
        y: accuracyScale,
        marks: dots(byState),
      },
    },
  ];
  const subtitle = `${model.numLayers} layers of width ${model.dModel}; means of ${numRuns} runs with a standard error on either side.`;
  const title = 'Recall of values by their keys';
  return figure({ width: 1150, height: y + plotSize.height + 20, title, subtitle, panels });
}

/** Names whose lines are dashed share a colour with another, so that their dots are open. */
const fillOf = ({ color, dash }: LegendEntry) => ({ color, fill: dash ? 'white' : color });

const dots = (points: readonly (LinePoint & { readonly fill: string })[]) => [
  Plot.ruleX(points, { x: 'x', y1: 'low', y2: 'high', stroke: 'color', strokeWidth: 1.5 }),
  Plot.dot(points, { x: 'x', y: 'y', fill: 'fill', stroke: 'color', strokeWidth: 2, r: 3.5 }),
];
