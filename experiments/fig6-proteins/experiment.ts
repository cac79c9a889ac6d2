import { defineExperiment } from '../experiment.ts';
import { accuracyMeasure, outcomesTable, perplexityMeasure } from '../results/curves.ts';
import { formatNumber } from '../results/markdown.ts';
import configuration from './config.json' with { type: 'json' };
import { fig6Schema } from './configuration.ts';
import { draw } from './figure.ts';
import { type DirectionNumbers, run } from './run.ts';

/** The paper's figures on TrEMBL with 36 layers: accuracy and perplexity, test · out of distribution (its Table 2). */
const paper: Record<'U' | 'B', Record<string, string>> = {
  U: {
    'empirical baseline': '9.92 / 17.80 · 9.07 / 17.93',
    Transformer: '30.80 / 9.37 · 19.70 / 13.20',
    'Performer (ReLU)': '31.58 / 9.17 · 18.44 / 13.63',
  },
  B: {
    Transformer: '33.32 / 9.22 · 25.07 / 12.09',
    'Performer (ReLU)': '36.09 / 8.36 · 24.10 / 12.26',
    'Performer (softmax)': '33.00 / 9.24 · 23.48 / 12.41',
  },
};

export const fig6Proteins = defineExperiment({
  name: 'fig6-proteins',
  title: 'Protein language models: Transformer, Performer, Reformer, Linformer',
  schema: fig6Schema,
  configuration,
  quick: {
    training: { ...configuration.training, steps: 20, evaluateEvery: 10, evaluationBatches: 2, testBatches: 4 },
  },
  run,
  draw,
  tabulate: ({ U, B, records, trainingTokens }) =>
    [
      `${formatNumber(trainingTokens / 1e6)} million tokens of ${records.train} records to train on, ${records.test} records to test, ` +
        `${records.outOfDistribution} of organisms held out.`,
      '',
      'U, next residue:',
      '',
      tabulateDirection(U, paper.U),
      '',
      'B, hidden residues:',
      '',
      tabulateDirection(B, paper.B),
    ].join('\n'),
});

function tabulateDirection({ outcomes, baseline }: DirectionNumbers, reported: Record<string, string>): string {
  const empirical = {
    name: 'empirical baseline',
    numParameters: 0,
    curve: [],
    tests: baseline,
    tokensPerSecond: 0,
    stepsPerSecond: 0,
  };
  const reference = { head: 'paper (36 layers)', of: (name: string) => reported[name] ?? '–' };
  return outcomesTable([empirical, ...outcomes], [accuracyMeasure, perplexityMeasure], { reference });
}
