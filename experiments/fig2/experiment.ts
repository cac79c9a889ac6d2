import { defineExperiment } from '../experiment.ts';
import { formatNumber, table } from '../results/markdown.ts';
import configuration from './config.json' with { type: 'json' };
import { fig2Schema } from './configuration.ts';
import { draw } from './figure.ts';
import { run } from './run.ts';

export const fig2 = defineExperiment({
  name: 'fig2',
  title: 'Ratio r of mean squared errors, trigonometric over positive features',
  schema: fig2Schema,
  configuration,
  quick: { draws: 1024, gridAngles: 12, gridLengths: 8, sliceAngles: 16 },
  run,
  draw,
  tabulate({ slice, agreement }, { sliceLength }) {
    const shown = slice.filter(({ measured }, i) => measured && i % 4 === 0);
    const rows = shown.map(({ angle, closedForm, measured }) => [
      `${(angle / Math.PI).toFixed(3)} π`,
      formatNumber(closedForm),
      measured ? `${formatNumber(measured.mean)} [${formatNumber(measured.low)}, ${formatNumber(measured.high)}]` : '',
    ]);
    return [
      table(['angle φ', 'r, closed form', 'r, measured (95 % interval)'], rows),
      '',
      `At l = ${sliceLength}; ${agreement.inside} of all ${agreement.points} measured points have the closed form in their 95 % interval, ` +
        `the farthest is ${agreement.worst.toFixed(1)} standard errors away.`,
    ].join('\n');
  },
});
