import { drawClassification, tabulateClassification } from '../contests/classification-contest.ts';
import { defineExperiment } from '../experiment.ts';
import configuration from './config.json' with { type: 'json' };
import { lraTextSchema } from './configuration.ts';
import { run } from './run.ts';

/** Tay et al. 2021, Table 1, on IMDb's reviews. */
const reported = { Transformer: '64.27', 'Performer (ReLU)': '65.40', Linformer: '53.94', Reformer: '56.10' };

export const lraText = defineExperiment({
  name: 'lra-text',
  title: 'Long Range Arena, text: passages as bytes, classified',
  schema: lraTextSchema,
  configuration: lraTextSchema.parse(configuration),
  quick: {
    training: { ...configuration.training, steps: 10, evaluateEvery: 5, evaluationBatches: 2, testBatches: 5 },
  },
  run,
  draw: (numbers, { model, training }) =>
    drawClassification(
      'Long Range Arena · Text as bytes',
      `${model.numLayers} layers of width ${model.dModel}, ${training.batchSize} passages an update, ${training.length} bytes each.`,
      numbers,
    ),
  tabulate: (numbers) => tabulateClassification(numbers, reported),
});
