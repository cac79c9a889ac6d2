import { ladderLegend, ladderPanel, missing } from '../ladder.ts';
import { colors, doublingPlot, figure, type Panel } from '../results/figure.ts';
import type { UseLiteConfiguration } from './configuration.ts';
import type { InspectedLayer, UseLiteNumbers } from './run.ts';

const size = { width: 440, height: 340 };

export function draw(
  { ladder, layers, numSentences }: UseLiteNumbers,
  { ladder: { draws } }: UseLiteConfiguration,
): string {
  const legend = ladderLegend(ladder);
  const y = 122;
  return figure({
    width: 1420,
    height: y + size.height + 16,
    title: 'USE-lite · A pretrained sentence encoder with FAVOR+ in place of its attention',
    subtitle: `${numSentences} sentences; orthogonal directions; means and 95 % intervals over ${draws} draws. No finetuning.`,
    panels: [
      ladderPanel(ladder, {
        ...{ x: 20, y, size, legend },
        title: 'Embeddings',
        label: '1 − cosine to the exact embedding',
        of: ({ distance }) => distance,
      }),
      ladderPanel(ladder, {
        ...{ x: 490, y, size },
        title: 'Similarities of all pairs',
        label: '1 − Spearman correlation',
        of: missing,
      }),
      layersPanel(layers, 960, y),
    ],
  });
}

function layersPanel(layers: readonly InspectedLayer[], x: number, y: number): Panel {
  const shades = [colors.sky, colors.blue];
  const rows = layers.flatMap(({ outputErrors }, layer) =>
    outputErrors.map(({ numFeatures, error }) => ({ x: numFeatures, y: error, color: shades[layer] })),
  );
  return {
    x,
    y,
    title: 'One layer at a time, positive features',
    legend: layers.map(({ dHead }, layer) => ({ label: `layer ${layer}, heads of ${dHead}`, color: shades[layer] })),
    plot: doublingPlot(rows, { size, labels: ['features', 'relative error of the attention’s output'] }),
  };
}
