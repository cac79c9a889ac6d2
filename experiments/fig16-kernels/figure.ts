import { accuracyMeasure, curvesFigure, perplexityMeasure } from '../results/curves.ts';
import type { Fig16Configuration } from './configuration.ts';
import type { Fig16Numbers } from './run.ts';

export function draw(numbers: Fig16Numbers, { model, training, projection, numFeatures }: Fig16Configuration): string {
  const features = projection === 'none' ? 'without a projection' : `${numFeatures} ${projection} directions`;
  const subtitle =
    `Next residue of proteins; ${model.numLayers} layers of width ${model.dModel}, ${features}; ` +
    `${training.batchSize} × ${training.length} tokens an update; a curve ends where its loss is no longer finite.`;
  const panels = [accuracyMeasure, perplexityMeasure].flatMap((measure) => [
    { title: 'Normalised', measure, outcomes: numbers.normalised },
    { title: 'Not normalised', measure, outcomes: numbers.unnormalised },
  ]);
  return curvesFigure('Figure 16 · Generalised attention with eight kernels', subtitle, panels);
}
