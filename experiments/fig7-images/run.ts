import { type ContestOutcome, holdContest } from '../contests/contest.ts';
import { modelOf, trainingOptions } from '../contests/language-contest.ts';
import type { ExperimentContext } from '../experiment.ts';
import { emojiFolder } from '../sources/emoji.ts';
import type { Fig7Configuration } from './configuration.ts';
import { readImages, vocabSize } from './images.ts';

export interface Fig7Numbers {
  readonly outcomes: readonly ContestOutcome[];
  readonly numTraining: number;
  readonly numHeldOut: number;
}

/** Figure 7: the next value of an image, by the number of layers. */
export async function run(configuration: Fig7Configuration, context: ExperimentContext): Promise<Fig7Numbers> {
  const { data, size, heldOut, model, training, contestants } = configuration;
  const { batchSize, evaluationBatches, testBatches, seed } = training;
  const length = 3 * size * size;
  const images = await readImages(data ?? emojiFolder(), { size, heldOut, batchSize, seed });
  const { numTraining, numHeldOut } = images;
  const outcomes = await holdContest(
    contestants.map(({ name, attention, numLayers, reversible }) => ({
      name: `${name}, ${numLayers} layers`,
      model: {
        ...modelOf({ attention }, { ...model, numLayers }, { vocabSize, maxLength: length, causal: true }),
        reversible,
      },
    })),
    {
      training: trainingOptions({ ...training, length }),
      numRuns: training.numRuns,
      data: () => images.training,
      fingerprint: JSON.stringify(['images', data ?? 'emoji', size, heldOut, numTraining]),
      validation: images.heldOut(evaluationBatches),
      tests: { test: images.heldOut(testBatches) },
    },
    context,
  );
  return { outcomes, numTraining, numHeldOut };
}
