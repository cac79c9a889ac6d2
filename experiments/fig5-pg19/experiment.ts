import { defineExperiment } from '../experiment.ts';
import { accuracyMeasure, type Measure, outcomesTable, perplexityMeasure } from '../results/curves.ts';
import { formatNumber } from '../results/markdown.ts';
import configuration from './config.json' with { type: 'json' };
import { fig5Schema } from './configuration.ts';
import { draw } from './figure.ts';
import { rangeTest, run, wholeTest } from './run.ts';

export const fig5Pg19 = defineExperiment({
  name: 'fig5-pg19',
  title: 'Books: a near field, and estimates of softmax attention with and without redrawing',
  schema: fig5Schema,
  configuration,
  quick: {
    vocabSize: 400,
    panels: configuration.panels.map((panel) => ({
      ...panel,
      direction: panel.direction as 'U' | 'B',
      training: { ...panel.training, steps: 4, evaluateEvery: 2, evaluationBatches: 1, testBatches: 1, numRuns: 1 },
    })),
  },
  run,
  draw,
  tabulate: ({ panels, numBooks, trainingTokens, heldOutTokens, charactersPerToken }, configuration) => {
    const bits: Measure = { label: 'bits per character', of: ({ loss }) => loss / Math.LN2 / charactersPerToken };
    return [
      `${numBooks} books: ${formatNumber(trainingTokens / 1e6)} million tokens to train on, ` +
        `${formatNumber(heldOutTokens / 1e6)} million held out, ${formatNumber(charactersPerToken)} characters a token. ` +
        `Where there are several runs: means ± standard errors.`,
      ...panels.flatMap((outcomes, i) => {
        const { title, direction, positionEnds } = configuration.panels[i] as (typeof configuration.panels)[number];
        const ranges = positionEnds.map((end, j) => rangeTest(positionEnds[j - 1] ?? 0, end));
        const measures = direction === 'U' ? [bits, accuracyMeasure] : [perplexityMeasure, accuracyMeasure];
        return [
          `**${title}**`,
          outcomesTable(outcomes, measures, { tests: [wholeTest], against: measures[0] as Measure }),
          ...(ranges.length > 0 ? [outcomesTable(outcomes, measures.slice(0, 1), { tests: ranges })] : []),
        ];
      }),
    ].join('\n\n');
  },
});
