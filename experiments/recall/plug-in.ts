import type { Batch } from '../../src/entries/data.ts';
import { loadTransformer } from '../../src/entries/internal.ts';
import type { TransformerOptions } from '../../src/entries/performers.ts';
import { evaluate } from '../../src/entries/training.ts';
import type { ExperimentContext } from '../experiment.ts';
import { mean } from '../results/statistics.ts';
import type { RecallConfiguration } from './configuration.ts';

/**
 * Accuracy of trained models with each attention in place of their own, without any training: means over the draws of
 * the features.
 *
 * @param directories of the models, a run each
 */
export async function plugIn(
  directories: readonly string[],
  test: Batch,
  { attentions, draws }: RecallConfiguration['plugIn'],
  { backend, signal, progress }: ExperimentContext,
): Promise<{ name: string; runs: number[] }[]> {
  const found = attentions.map(({ name }) => ({ name, runs: [] as number[] }));
  for (const [run, directory] of directories.entries()) {
    const { model } = await loadTransformer(backend, directory, { signal });
    try {
      for (const [i, { name, attention }] of attentions.entries()) {
        progress((run + i / attentions.length) / directories.length, `plugged in: ${name}`);
        const accuracies: number[] = [];
        for (let draw = 0; draw < draws; draw++) {
          model.replaceAttention({ attention: attention as TransformerOptions['attention'] }, draw);
          accuracies.push((await evaluate(model, [test], { signal })).accuracy);
        }
        found[i]!.runs.push(mean(accuracies));
      }
    } finally {
      model.dispose();
    }
  }
  return found;
}
