import { defineExperiment } from '../experiment.ts';
import { ladderTables } from '../ladder.ts';
import { formatNumber, table } from '../results/markdown.ts';
import configuration from './config.json' with { type: 'json' };
import { useLiteSchema } from './configuration.ts';
import { draw } from './figure.ts';
import { run, type UseLiteNumbers } from './run.ts';

export const useLite = defineExperiment({
  name: 'use-lite',
  title: 'A pretrained sentence encoder with FAVOR+, against its own runtime',
  schema: useLiteSchema,
  configuration,
  quick: { ladder: { estimators: ['positive', 'favor++'], numFeatures: [64, 256], draws: 2, seed: 0 }, inspected: 4 },
  run,
  draw,
  tabulate,
});

function tabulate({ numSentences, meanTokens, longestTokens, own, layers, ladder }: UseLiteNumbers): string {
  const { sameTokens, meanDistance, worstDistance, largestDifference } = own;
  const heads = layers[0].outputErrors.map(({ numFeatures }) => `error at ${numFeatures} features`);
  return [
    `${numSentences} sentences of ${formatNumber(meanTokens)} tokens (the longest ${longestTokens}). Tokens are those of its own runtime in ${sameTokens} of them.`,
    `With exact attention, 1 − cosine to its own runtime's embedding is ${formatNumber(meanDistance)} in the mean and ${formatNumber(worstDistance)} at worst. The largest difference of a number is ${formatNumber(largestDifference)}.`,
    '',
    ladderTables(ladder),
    '',
    table(
      ['positive features', 'p', 'contrast of exact attention', ...heads],
      layers.map(({ p, dHead, contrast, outputErrors }, layer) => [
        `layer ${layer}, heads of ${dHead}`,
        formatNumber(p),
        formatNumber(contrast),
        ...outputErrors.map(({ error }) => formatNumber(error)),
      ]),
    ),
  ].join('\n');
}
