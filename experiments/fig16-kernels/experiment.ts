import { defineExperiment } from '../experiment.ts';
import { accuracyMeasure, outcomesTable, perplexityMeasure } from '../results/curves.ts';
import configuration from './config.json' with { type: 'json' };
import { fig16Schema } from './configuration.ts';
import { draw } from './figure.ts';
import { run } from './run.ts';

const measures = [accuracyMeasure, perplexityMeasure];

export const fig16Kernels = defineExperiment({
  name: 'fig16-kernels',
  title: 'Generalised attention with eight kernels, normalised or not',
  schema: fig16Schema,
  configuration,
  quick: {
    training: { ...configuration.training, steps: 10, evaluateEvery: 5, evaluationBatches: 2, testBatches: 2 },
  },
  run,
  draw,
  tabulate: ({ normalised, unnormalised }) =>
    [
      'Normalised:',
      '',
      outcomesTable(normalised, measures),
      '',
      'Not normalised:',
      '',
      outcomesTable(unnormalised, measures),
    ].join('\n'),
});
