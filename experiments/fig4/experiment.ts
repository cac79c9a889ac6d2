import { quickModel } from '../contests/trained-model.ts';
import { defineExperiment } from '../experiment.ts';
import { formatInterval, formatNumber, table } from '../results/markdown.ts';
import configuration from './config.json' with { type: 'json' };
import { fig4Schema } from './configuration.ts';
import { draw } from './figure.ts';
import { type InputNumbers, run } from './run.ts';

export const fig4 = defineExperiment({
  name: 'fig4',
  title: 'Error of attention against the number of random directions',
  schema: fig4Schema,
  configuration,
  quick: {
    gaussian: { deviations: [0.5], length: 512, dHead: 16, numDirections: [16, 64, 256], draws: 8 },
    trained: { numDirections: [32, 128], draws: 8 },
    model: quickModel,
  },
  run,
  draw,
  tabulate: ({ gaussian, trained }, { gaussian: { length, dHead } }) =>
    [
      ...gaussian.flatMap((numbers) => [
        `Normal q, k of deviation ${numbers.deviation}, v of 1 (L = ${length}, d = ${dHead}), mean squared error of the output:`,
        '',
        tabulateInput(numbers),
        '',
      ]),
      `q, k, v of a model trained here (${trained.parameters.toLocaleString('en-US')} parameters, ` +
        `${formatNumber(trained.bitsPerCharacter)} bits per character on held-out text), relative squared error of the output:`,
      '',
      tabulateInput(trained),
    ].join('\n'),
});

function tabulateInput({ lines, comparisons }: InputNumbers): string {
  const ms = lines[0].errors.map(({ numDirections }) => `m = ${numDirections}`);
  const errors = lines.map(({ name, errors }) => [name, ...errors.map(({ error }) => formatNumber(error.mean))]);
  const ratios = comparisons.map(({ worse, better, ratios, overall, holds }) => [
    `${better} against ${worse}`,
    ...ratios.map(({ ratio }) => formatInterval(ratio)),
    formatInterval(overall),
    holds ? 'yes' : 'no',
  ]);
  return [
    table(['estimator', ...ms], errors),
    '',
    table(['times smaller error, paired', ...ms, 'over all m', 'better?'], ratios),
  ].join('\n');
}
