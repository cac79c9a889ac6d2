import { ListOpsTokenizer, labelledTokens } from '../../src/entries/data.ts';
import { listOpsExample } from '../../src/entries/internal.ts';
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
  const tokenizer = new ListOpsTokenizer();
  // Examples are a function of their number, so the test's are those behind the training's.
  const examples = (from: number, count: number) =>
    labelledTokens(
      Array.from({ length: count }, (_, i) => listOpsExample(from + i, options)),
      tokenizer,
    );
  const data = {
    train: await examples(0, numTraining),
    test: await examples(numTraining, numTest),
    fingerprint: JSON.stringify(['listops', options, numTraining, numTest]),
  };
  return classify(data, settings, context);
}
