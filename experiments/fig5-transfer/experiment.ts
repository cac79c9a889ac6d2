import { defineExperiment } from '../experiment.ts';
import { estimatorNames, ladderTables } from '../ladder.ts';
import { formatNumber, table } from '../results/markdown.ts';
import configuration from './config.json' with { type: 'json' };
import { type Fig5TransferConfiguration, fig5TransferSchema } from './configuration.ts';
import { describeAttention, draw } from './figure.ts';
import type { Finetuned } from './finetune.ts';
import type { LongTexts } from './long.ts';
import { type Converted, type Fig5TransferNumbers, run } from './run.ts';

export const fig5Transfer = defineExperiment({
  name: 'fig5-transfer',
  title: 'A pretrained softmax Transformer as a Performer, before and after finetuning',
  schema: fig5TransferSchema,
  configuration,
  quick: {
    ladder: { estimators: ['positive', 'favor++'], numFeatures: [64, 256], draws: 2, seed: 0 },
    inspected: 4,
    training: { ...configuration.training, steps: 4, evaluateEvery: 2 },
    long: { lengths: [512, 1024], repetitions: 1 },
  },
  run,
  draw,
  tabulate,
});

function tabulate(numbers: Fig5TransferNumbers, configuration: Fig5TransferConfiguration): string {
  const { numSentences, meanTokens, converted, balanced, finetuned, trainingSentences, trainingTokens } = numbers;
  const { sameTokens, meanDistance, worstDistance } = converted.original;
  const trained = finetuned.curve[finetuned.curve.length - 1];
  return [
    `${numSentences} sentences of ${formatNumber(meanTokens)} tokens, which are the original library's in ${sameTokens} of them. With exact attention, 1 − cosine to`,
    `the original library's embedding is ${formatNumber(meanDistance)} in the mean and ${formatNumber(worstDistance)} at worst. As converted:`,
    '',
    ladderTables(converted.ladder),
    '',
    `With queries and keys balanced on ${configuration.balancedOn} training sentences (exact attention: 1 − cosine to the original library's embedding ${formatNumber(balanced.original.worstDistance)} at worst):`,
    '',
    ladderTables(balanced.ladder),
    '',
    `Relative error of what each layer's attention gives, the layers before it being exact (mean of ‖x + y‖²/dHead over queries and keys: ${formatNumber(converted.p)}, balanced ${formatNumber(balanced.p)}):`,
    '',
    layersTable({ converted, balanced }, configuration),
    '',
    `Balanced and finetuned (${describeAttention(configuration.attention)}) for ${formatNumber(trained.coreSeconds / 60)} core-minutes (${formatNumber(trained.seconds / 60)} minutes), ${trained.step} updates,`,
    `on ${trainingSentences} sentences of other novels (${formatNumber(trainingTokens / 1e6)} M tokens):`,
    '',
    recoveryTable(finetuned),
    '',
    longTable(numbers.long),
  ].join('\n');
}

/** Rows of as many features as the finetuned model has; the others are in result.json. */
function layersTable(
  forms: Readonly<Record<'converted' | 'balanced', Converted>>,
  { attention, ladder }: Fig5TransferConfiguration,
): string {
  const shown = ladder.numFeatures.find((m) => m === attention.numFeatures) ?? Math.max(...ladder.numFeatures);
  const heads = forms.converted.alone.map((_, layer) => `layer ${layer}`);
  const rows = Object.entries(forms).flatMap(([form, { layers, alone }]) => [
    ...layers
      .filter(({ numFeatures }) => numFeatures === shown)
      .map(({ estimator, errors }) => [`${form}: ${estimatorNames[estimator]}, ${shown}`, ...errors.map(formatNumber)]),
    [`${form}: error of the embedding where this layer alone has FAVOR+ (positive, 256)`, ...alone.map(formatNumber)],
  ]);
  return table(['estimator, features', ...heads], rows);
}

function recoveryTable({ curve, otherDirections }: Finetuned): string {
  const shown = curve.filter((_, i) => i === 0 || i === curve.length - 1 || i % Math.ceil(curve.length / 6) === 0);
  return table(
    ['core-minutes', 'minutes', 'updates', 'mean cosine', 'worst cosine', 'Spearman correlation'],
    [
      ...shown.map(({ coreSeconds, seconds, step, meanCosine, worstCosine, spearman }) => [
        ...[coreSeconds, seconds].map((value) => (value / 60).toFixed(1)),
        `${step}`,
        ...[meanCosine, worstCosine, spearman].map((value) => value.toFixed(4)),
      ]),
      ['then other directions', '', '', otherDirections.meanCosine.toFixed(4), '', otherDirections.spearman.toFixed(4)],
    ],
  );
}

function longTable({ exact, performer, cosines }: LongTexts): string {
  const heads = exact.map(({ tokens }) => `${tokens} tokens`);
  const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  const seconds = (value: number) => `${formatNumber(value)} s`;
  return table(
    ['one text', ...heads],
    [
      ['exact attention', ...exact.map((pass) => seconds(pass.seconds))],
      ['FAVOR+', ...performer.map((pass) => seconds(pass.seconds))],
      ['times faster', ...exact.map((pass, i) => formatNumber(pass.seconds / performer[i].seconds))],
      ['exact attention, memory beyond the weights', ...exact.map(({ bytes }) => megabytes(bytes))],
      ['FAVOR+, memory beyond the weights', ...performer.map(({ bytes }) => megabytes(bytes))],
      ['cosine of the two embeddings, as converted', ...cosines.map(formatNumber)],
    ],
  );
}
