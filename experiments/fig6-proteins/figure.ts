import { accuracyMeasure, curvesFigure, perplexityMeasure } from '../results/curves.ts';
import type { Fig6Configuration } from './configuration.ts';
import type { Fig6Numbers } from './run.ts';

const titles = { U: 'U: next residue', B: 'B: hidden residues, 15 %' } as const;

export function draw(numbers: Fig6Numbers, { model, training }: Fig6Configuration): string {
  const subtitle =
    `${model.numLayers} layers of width ${model.dModel}, ${model.numHeads} heads; ${training.batchSize} × ${training.length} ` +
    `tokens an update; validation on records held out.`;
  const panels = (['U', 'B'] as const).flatMap((direction) =>
    [accuracyMeasure, perplexityMeasure].map((measure) => {
      const { outcomes, baseline } = numbers[direction];
      const empirical = baseline.test;
      return {
        title: titles[direction],
        measure,
        outcomes,
        baseline: empirical && { label: 'empirical baseline', value: measure.of(empirical) },
      };
    }),
  );
  return curvesFigure('Figure 6 · Protein language models', subtitle, panels);
}
