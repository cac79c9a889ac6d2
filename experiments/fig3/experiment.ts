import { defineExperiment } from '../experiment.ts';
import { formatNumber, table } from '../results/markdown.ts';
import configuration from './config.json' with { type: 'json' };
import { fig3Schema } from './configuration.ts';
import type { Closeness, Cost, Curve } from './curve.ts';
import { draw } from './figure.ts';
import { attentionNames, formatLength, formats } from './format.ts';
import { type Fig3Numbers, run } from './run.ts';

export const fig3 = defineExperiment({
  name: 'fig3',
  title: 'Time and memory of a pass against the length',
  schema: fig3Schema,
  configuration,
  quick: {
    models: configuration.models.map((model) => ({ ...model, maxLength: model.name === 'regular' ? 1024 : 8192 })),
    rounds: 3,
    secondsPerPoint: 0.3,
    timeLimit: 0.5,
  },
  run,
  draw,
  tabulate: (numbers, { timeLimit, memoryLimit }) =>
    [
      'Time of a pass:',
      '',
      costTable(numbers, 'seconds'),
      '',
      'Memory of a pass:',
      '',
      costTable(numbers, 'bytes'),
      '',
      `×: not run, for it would take more than ${timeLimit} s, or than ${memoryLimit} GiB or what was free. Slopes are least squares on ` +
        'logarithms over the upper half of the lengths.',
      '',
      closenessTable(numbers),
    ].join('\n'),
});

function costTable({ curves }: Fig3Numbers, quantity: keyof Cost): string {
  const all = [...new Set(curves.flatMap(({ points }) => points.map(({ length }) => length)))].sort((a, b) => a - b);
  const shown = all.filter((_, i) => (all.length - 1 - i) % 2 === 0 || all.length < 8);
  const cell = ({ points, cross }: Curve, length: number) => {
    const point = points.find((one) => one.length === length);
    if (point) return formats[quantity](point[quantity]);
    return cross && length >= cross.length ? '×' : '';
  };
  const rows = curves.map((curve) => [
    `${curve.model}, ${curve.pass}: ${attentionNames[curve.attention]}`,
    ...shown.map((length) => cell(curve, length)),
    curve.slopes[quantity]?.toFixed(2) ?? '',
  ]);
  return table(['L =', ...shown.map(formatLength), 'slope'], rows);
}

function closenessTable({ closeness }: Fig3Numbers): string {
  const times = (ratio: number | undefined) => (ratio === undefined ? '' : `${formatNumber(ratio)} ×`);
  const rows = closeness.map(({ model, pass, overX, exactOver, fasterFrom }: Closeness) => [
    `${model}, ${pass}`,
    overX ? `${times(overX.seconds)} (L = ${formatLength(overX.length)})` : '',
    times(overX?.bytes),
    exactOver ? `${times(exactOver.seconds)} (L = ${formatLength(exactOver.length)})` : '',
    times(exactOver?.bytes),
    fasterFrom ? formatLength(fasterFrom) : '',
  ]);
  const head = [
    'at the largest common L',
    'Performer’s time over X’s',
    'its memory over X’s',
    'Transformer’s time over Performer’s',
    'its memory over Performer’s',
    'Performer faster from L =',
  ];
  return table(head, rows);
}
