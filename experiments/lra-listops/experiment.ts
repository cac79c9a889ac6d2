import { drawClassification, tabulateClassification } from '../contests/classification-contest.ts';
import { defineExperiment } from '../experiment.ts';
import configuration from './config.json' with { type: 'json' };
import { listOpsSchema } from './configuration.ts';
import { run } from './run.ts';

/** Tay et al. 2021, Table 1. */
const reported = { Transformer: '36.37', 'Performer (ReLU)': '18.01', Linformer: '35.70', Reformer: '37.27' };

export const lraListOps = defineExperiment({
  name: 'lra-listops',
  title: 'Long Range Arena, ListOps: the value of a nested expression',
  schema: listOpsSchema,
  configuration,
  quick: {
    numTraining: 40,
    numTest: 20,
    training: { ...configuration.training, steps: 10, evaluateEvery: 5, evaluationBatches: 2, testBatches: 5 },
  },
  run,
  draw: (numbers, { model, training }) =>
    drawClassification(
      'Long Range Arena · ListOps',
      `${model.numLayers} layers of width ${model.dModel}, ${training.batchSize} expressions an update, up to ${training.length} symbols.`,
      numbers,
    ),
  tabulate: (numbers) => tabulateClassification(numbers, reported),
});
