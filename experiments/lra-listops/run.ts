import { listOpsTokenizer, openDataset, tokenizeDataset } from '../../src/entries/data.ts';
import { type ClassificationNumbers, classify } from '../contests/classification-contest.ts';
import type { ExperimentContext } from '../experiment.ts';
import type { ListOpsConfiguration } from './configuration.ts';

/** The Long Range Arena's ListOps: the value of a nested expression. */
export async function run(
  configuration: ListOpsConfiguration,
  context: ExperimentContext,
): Promise<ClassificationNumbers> {
  const { numTraining, numTest, minLength, maxLength, maxDepth, maxArguments, ...settings } = configuration;
  const { seed } = settings.training;
  const options = { seed, minLength, maxLength, maxDepth, maxArguments };
  const sizes = { numTraining, numTest, ...options };
  const dataset = await openDataset({ format: 'listops', data: [], split: { by: 'given' }, ...sizes });
  const store = await tokenizeDataset(dataset, await listOpsTokenizer());
  return classify(store, store.heldOut, settings, context);
}
