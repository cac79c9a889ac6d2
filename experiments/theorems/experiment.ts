import { defineExperiment } from '../experiment.ts';
import { formatInterval, formatNumber, table } from '../results/markdown.ts';
import type { Interval } from '../results/statistics.ts';
import configuration from './config.json' with { type: 'json' };
import { type TheoremsConfiguration, theoremsSchema } from './configuration.ts';
import { draw } from './figure.ts';
import { run, type TheoremsNumbers } from './run.ts';

export const theorems = defineExperiment({
  name: 'theorems',
  title: 'Three statements of the paper, in closed form and measured',
  schema: theoremsSchema,
  configuration,
  quick: {
    regularised: { dHeads: [4, 16, 64, 256], squaredSums: [0.5, 1, 2], measuredUpTo: 16, numFeatures: 16384 },
    orthogonal: { dHeads: [4, 8, 16], squaredSums: [0.5, 1, 1.5], squaredDifference: 0.5, directions: 32768 },
    uniform: { dHeads: [4, 8], lengths: [16, 64, 256], radius: 1, error: 0.25, maxDirections: 2048, draws: 5 },
  },
  run,
  draw,
  tabulate: (numbers, { uniform }) =>
    [regularisedTable(numbers), '', orthogonalTable(numbers), '', uniformTable(numbers, uniform)].join('\n'),
});

function regularisedTable({ regularised: { points, reach } }: TheoremsNumbers): string {
  const rows = reach.map(({ dHead, squaredSum }) => {
    const own = points.filter((point) => point.dHead === dHead);
    const least = own.reduce((a, b) => (b.ratio < a.ratio ? b : a));
    return [
      `${dHead}`,
      formatNumber(own[0].bound),
      `${formatNumber(least.ratio)} (‖z‖² = ${least.squaredSum})`,
      least.measured ? formatInterval(least.measured) : '',
      Number.isFinite(squaredSum) && squaredSum !== null ? formatNumber(squaredSum) : 'any',
    ];
  });
  const head = ['d', 'bound 1 − 2/d^⅓', 'least SMREG/SM', 'the same, measured', 'bound holds up to ‖z‖²'];
  const largest = Math.max(...points.map(({ ratio }) => ratio));
  return `${table(head, rows)}\n\nThe largest SMREG/SM is ${formatNumber(largest)}.`;
}

function orthogonalTable({ orthogonal }: TheoremsNumbers): string {
  const sums = [...new Set(orthogonal.map(({ squaredSum }) => squaredSum))];
  const shown = sums.reduce((a, b) => (Math.abs(b - 1) < Math.abs(a - 1) ? b : a));
  const rows = orthogonal
    .filter(({ squaredSum }) => squaredSum === shown)
    .map(({ dHead, independent, orthogonal, bound, gain }) => [
      `${dHead}`,
      formatInterval(independent.measured),
      formatInterval(orthogonal.measured),
      formatNumber(orthogonal.closedForm),
      formatNumber(bound),
      formatInterval(gain.measured),
      formatNumber(gain.closedForm),
    ]);
  const head = [
    `m = d, ‖z‖² = ${shown}`,
    'MSE independent, measured',
    'MSE orthogonal, measured',
    'closed form',
    'promised at most',
    'gain/promised, measured',
    'closed form',
  ];
  const kept = orthogonal.filter(({ orthogonal, bound }) => orthogonal.measured.high <= bound).length;
  const holds = orthogonal.filter(({ orthogonal, bound }) => orthogonal.closedForm <= bound).length;
  const note =
    `Over all ${orthogonal.length} points, the closed form keeps the promise at ${holds}; ` +
    `the measured interval is wholly below the promised error at ${kept}.`;
  return `${table(head, rows)}\n\n${note}`;
}

function uniformTable({ uniform }: TheoremsNumbers, { lengths, error }: TheoremsConfiguration['uniform']): string {
  const shown = lengths.filter((_, i) => i % 2 === 0);
  const cell = (interval: Interval | null | undefined) =>
    interval ? `${round(interval.mean)} [${round(interval.low)}, ${round(interval.high)}]` : '';
  const rows = uniform.map(({ dHead, needed, supremum }) => [
    `${dHead}`,
    ...needed.filter(({ length }) => shown.includes(length)).map(({ directions }) => cell(directions)),
    cell(supremum),
    supremum ? formatNumber(supremum.mean / (dHead * Math.log(dHead))) : '',
  ]);
  const head = [`d (m for error ≤ ${error})`, ...shown.map((length) => `L = ${length}`), 'any L', 'any L, over d·ln d'];
  return table(head, rows);
}

const { round } = Math;
