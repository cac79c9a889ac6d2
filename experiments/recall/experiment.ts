import { defineExperiment } from '../experiment.ts';
import { formatEstimate, table } from '../results/markdown.ts';
import { mean, standardError } from '../results/statistics.ts';
import configuration from './config.json' with { type: 'json' };
import { recallSchema } from './configuration.ts';
import { draw } from './figure.ts';
import { accuraciesOf, nameOf, run } from './run.ts';

const few = { steps: 10, warmupSteps: 2 };

export const recall = defineExperiment({
  name: 'recall',
  title: 'Associative recall: accuracy against the state of decoding',
  schema: recallSchema,
  configuration,
  quick: {
    start: { ...configuration.start, ...few },
    training: { ...configuration.training, ...few, sizes: configuration.training.sizes.slice(0, 2), evaluateEvery: 5 },
    plugIn: { ...configuration.plugIn, draws: 1, attentions: configuration.plugIn.attentions.slice(0, 2) },
    testTokens: 1024,
    numRuns: 1,
  },
  run,
  draw,
  tabulate({ start, outcomes, states, plugIn }, configuration) {
    const { sizes, steps } = configuration.training;
    const { size, distance } = configuration.plugIn;
    const begun = configuration.start.sizes.map((each) => `${estimate(accuraciesOf(start, each))} (${nameOf(each)})`);
    const state = `state at token ${sizes.at(-1)?.length}`;
    return [
      `Accuracy in %. The start, exact attention: ${begun.join(', ')}.`,
      '',
      table(
        ['attention', state, ...sizes.map(nameOf), 'all, in the last updates'],
        outcomes.map((outcome, i) => {
          const [before, last] = outcome.curve.slice(-2).map(({ accuracy }) => 100 * accuracy);
          return [
            outcome.name,
            `${states[i]?.at(-1)}`,
            ...sizes.map((each) => estimate(accuraciesOf(outcome, each))),
            `${before?.toFixed(1)} → ${last?.toFixed(1)}`,
          ];
        }),
      ),
      '',
      `The last column has the accuracy over all answers at update ${outcomes[0]?.curve.at(-2)?.step} and at update ${steps}.`,
      '',
      `Another attention in place of the trained exact attention, without training. The test has ${nameOf(size)} and one question, ${distance} tokens or more after the last pair:`,
      '',
      table(
        ['attention', 'accuracy, %'],
        plugIn.map(({ name, runs }) => [name, estimate(runs.map((accuracy) => 100 * accuracy))]),
      ),
    ].join('\n');
  },
});

const estimate = (values: readonly number[]) => formatEstimate(mean(values), standardError(values));
