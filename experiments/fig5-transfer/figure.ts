import * as Plot from '@observablehq/plot';
import { type LadderPoint, ladderLegend, ladderPanel } from '../ladder.ts';
import { colors, doublingPlot, figure, type Panel } from '../results/figure.ts';
import type { Fig5TransferConfiguration } from './configuration.ts';
import type { Finetuned } from './finetune.ts';
import type { LongTexts } from './long.ts';
import type { Fig5TransferNumbers } from './run.ts';

const size = { width: 540, height: 340 };
const [left, right] = [20, 590];
const [first, second] = [122, 570];

export function draw(numbers: Fig5TransferNumbers, { ladder, attention }: Fig5TransferConfiguration): string {
  const { converted, balanced } = numbers;
  const distances = {
    label: '1 − cosine to the exact embedding',
    of: ({ distance }: LadderPoint) => distance,
    shown: [converted, balanced].flatMap((each) => each.ladder),
  };
  return figure({
    width: 1150,
    height: second + size.height + 16,
    title: 'Figure 5, transfer · A pretrained softmax Transformer as a Performer, before and after finetuning',
    subtitle: `all-MiniLM-L6-v2, ${numbers.numSentences} sentences; above without finetuning: orthogonal directions, means and 95 % intervals over ${ladder.draws} draws.`,
    panels: [
      ladderPanel(converted.ladder, {
        ...{ x: left, y: first, size, legend: ladderLegend(converted.ladder) },
        title: 'Embeddings, as converted',
        ...distances,
      }),
      ladderPanel(balanced.ladder, {
        ...{ x: right, y: first, size },
        title: 'Embeddings, queries and keys balanced',
        ...distances,
      }),
      recoveryPanel(numbers.finetuned, `Balanced, then finetuned; ${describeAttention(attention)}`),
      longPanel(numbers.long),
    ],
  });
}

/** `positive, 256 features` */
export function describeAttention(attention: Fig5TransferConfiguration['attention']): string {
  const { featureMap = 'positive', numFeatures = 256 } = attention;
  const name = typeof featureMap === 'string' ? featureMap : (featureMap as { type: string }).type;
  return `${name}, ${String(numFeatures)} features`;
}

function recoveryPanel({ curve }: Finetuned, title: string): Panel {
  const series = [
    { label: 'mean cosine to the exact embedding', color: colors.blue, of: 'meanCosine' },
    { label: 'Spearman correlation', color: colors.orange, of: 'spearman' },
  ] as const;
  const rows = series.flatMap(({ color, of }) =>
    curve.map((point) => ({ minutes: point.coreSeconds / 60, value: point[of], color })),
  );
  return {
    x: left,
    y: second,
    title,
    legend: series.map(({ label, color }) => ({ label, color })),
    plot: {
      ...size,
      marginLeft: 58,
      marginBottom: 42,
      marginTop: 28,
      x: { label: 'minutes of training, times cores at work', grid: false },
      y: { label: 'agreement with exact attention', grid: true, nice: true },
      marks: [
        Plot.line(rows, { x: 'minutes', y: 'value', z: 'color', stroke: 'color', strokeWidth: 2 }),
        Plot.dot(rows, { x: 'minutes', y: 'value', fill: 'color', r: 3 }),
      ],
    },
  };
}

function longPanel({ exact, performer }: LongTexts): Panel {
  const series = [
    { label: 'exact attention', color: colors.black, passes: exact },
    { label: 'FAVOR+', color: colors.blue, passes: performer },
  ];
  const rows = series.flatMap(({ color, passes }) =>
    passes.map(({ tokens, seconds }) => ({ x: tokens, y: seconds, color })),
  );
  return {
    x: right,
    y: second,
    title: 'One long text, positions interpolated',
    legend: series.map(({ label, color }) => ({ label, color })),
    plot: doublingPlot(rows, { size, labels: ['tokens', 'seconds'] }),
  };
}
