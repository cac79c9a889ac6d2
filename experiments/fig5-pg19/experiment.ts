import { defineExperiment } from '../experiment.ts';
import { accuracyMeasure, outcomesTable, perplexityMeasure } from '../results/curves.ts';
import { formatNumber } from '../results/markdown.ts';
import configuration from './config.json' with { type: 'json' };
import { fig5Schema } from './configuration.ts';
import { draw } from './figure.ts';
import { run } from './run.ts';

export const fig5Pg19 = defineExperiment({
  name: 'fig5-pg19',
  title: 'Books: estimates of softmax attention, with and without redrawing, beside Linformer',
  schema: fig5Schema,
  configuration,
  quick: {
    vocabSize: 1024,
    training: { ...configuration.training, steps: 10, evaluateEvery: 5, evaluationBatches: 2, testBatches: 2 },
  },
  run,
  draw,
  tabulate: ({ outcomes, numBooks, trainingTokens, heldOutTokens }) =>
    [
      `${numBooks} books: ${formatNumber(trainingTokens / 1e6)} million tokens to train on, ${formatNumber(heldOutTokens / 1e6)} million held out.`,
      '',
      outcomesTable(outcomes, [perplexityMeasure, accuracyMeasure]),
    ].join('\n'),
});
