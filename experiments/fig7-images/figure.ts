import { bitsMeasure, curvesFigure } from '../results/curves.ts';
import type { Fig7Configuration } from './configuration.ts';
import type { Fig7Numbers } from './run.ts';

export function draw({ outcomes }: Fig7Numbers, { size, model, training }: Fig7Configuration): string {
  const subtitle = `${size} × ${size} × 3 = ${3 * size * size} values an image, width ${model.dModel}, ${training.batchSize} ${training.batchSize === 1 ? 'image' : 'images'} an update.`;
  return curvesFigure('Figure 7 · Next value of an image', subtitle, [
    { title: 'Images held out', measure: bitsMeasure, outcomes },
  ]);
}
