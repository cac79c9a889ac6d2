import { defineExperiment } from '../experiment.ts';
import { bitsMeasure, outcomesTable } from '../results/curves.ts';
import configuration from './config.json' with { type: 'json' };
import { fig7Schema } from './configuration.ts';
import { draw } from './figure.ts';
import { run } from './run.ts';

export const fig7Images = defineExperiment({
  name: 'fig7-images',
  title: 'Images, value by value: Performer and Reformer by depth',
  schema: fig7Schema,
  configuration,
  quick: {
    training: { ...configuration.training, steps: 4, evaluateEvery: 2, evaluationBatches: 1, testBatches: 1 },
    contestants: fig7Schema.shape.contestants.parse(configuration.contestants.slice(0, 1)),
    size: 16,
  },
  run,
  draw,
  tabulate: ({ outcomes, numTraining, numHeldOut }) =>
    [`${numTraining} images to train on, ${numHeldOut} held out.`, '', outcomesTable(outcomes, [bitsMeasure])].join(
      '\n',
    ),
});
