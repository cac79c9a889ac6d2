import { quickModel } from '../contests/trained-model.ts';
import { defineExperiment } from '../experiment.ts';
import { formatInterval, formatNumber, table } from '../results/markdown.ts';
import configuration from './config.json' with { type: 'json' };
import { fig14Schema } from './configuration.ts';
import { draw } from './figure.ts';
import { type DepthLine, run } from './run.ts';

export const fig14 = defineExperiment({
  name: 'fig14',
  title: 'Error of a Performer with a Transformer’s parameters, by depth',
  schema: fig14Schema,
  configuration,
  quick: {
    numFeatures: [32, 128],
    draws: 4,
    random: { numLayers: 4, seed: 7 },
    trained: quickModel,
  },
  run,
  draw,
  tabulate: ({ random, trained, bitsPerCharacter }) =>
    [
      'Parameters as drawn:',
      '',
      tabulateLines(random),
      '',
      `Trained (the Transformer needs ${formatNumber(bitsPerCharacter)} bits per character on held-out text):`,
      '',
      tabulateLines(trained),
    ].join('\n'),
});

function tabulateLines(lines: readonly DepthLine[]): string {
  const depths = lines[0].errors.map((_, n) => n + 1);
  const shown = depths.filter((depth) => depth === 1 || depth === depths.length || depth % 3 === 0);
  const rows = lines.map(({ numFeatures, errors, growth }) => [
    `m = ${numFeatures}`,
    ...shown.map((depth) => formatInterval(errors[depth - 1])),
    formatInterval(growth),
  ]);
  const heads = shown.map((depth) => `after ${depth} ${depth === 1 ? 'layer' : 'layers'}`);
  return table(['relative error', ...heads, `last over first`], rows);
}
