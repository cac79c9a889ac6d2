import { accuracyMeasure, curvesFigure, perplexityMeasure } from '../results/curves.ts';
import type { Fig5Configuration } from './configuration.ts';
import type { Fig5Numbers } from './run.ts';

export function draw({ outcomes }: Fig5Numbers, { model, training, vocabSize }: Fig5Configuration): string {
  const subtitle =
    `Hidden tokens of books, ${vocabSize} unigram tokens; ${model.numLayers} layers of width ${model.dModel}, ` +
    `${training.batchSize} × ${training.length} tokens an update; validation on books held out.`;
  const panels = [perplexityMeasure, accuracyMeasure].map((measure) => ({ title: measure.label, measure, outcomes }));
  return curvesFigure('Figure 5 · Books with estimates of softmax attention', subtitle, panels);
}
