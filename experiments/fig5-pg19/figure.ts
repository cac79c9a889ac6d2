import { curvesFigure, type Measure, perplexityMeasure } from '../results/curves.ts';
import type { Fig5Configuration } from './configuration.ts';
import type { Fig5Numbers } from './run.ts';

export function draw({ panels, charactersPerToken }: Fig5Numbers, configuration: Fig5Configuration): string {
  const { model, vocabSize } = configuration;
  const bits: Measure = { label: 'bits per character', of: ({ loss }) => loss / Math.LN2 / charactersPerToken };
  const subtitle =
    `${vocabSize} unigram tokens; ${model.numLayers} layers of width ${model.dModel}, ${model.numHeads} heads; ` +
    `validation on books held out, means over runs.`;
  const plots = panels.map((outcomes, i) => {
    const { title, direction } = configuration.panels[i] as Fig5Configuration['panels'][number];
    return { title, measure: direction === 'U' ? bits : perplexityMeasure, outcomes };
  });
  return curvesFigure('Figure 5 · Books with estimates of softmax attention', subtitle, plots);
}
