import type { TokenSplit } from '../../src/entries/data.ts';
import { type FloatArray, Transformer, type TransformerOptions, tensor } from '../../src/entries/performers.ts';
import { modelOptions, spreadWindow, trainModel } from '../contests/trained-model.ts';
import { type ExperimentContext, numbersOf, pause } from '../experiment.ts';
import { type Interval, meanInterval, ratioInterval } from '../results/statistics.ts';
import type { Fig14Configuration } from './configuration.ts';

/** One line: a Performer of m features with an exact Transformer's parameters. */
export interface DepthLine {
  readonly numFeatures: number;
  /** ‖h − ĥ‖/‖h‖ of the normalised hidden state after the first n layers, n = 1, 2, …: means over the draws. */
  readonly errors: readonly Interval[];
  /** Error after all layers over that after one: geometric mean, paired. */
  readonly growth: Interval;
}

export interface Fig14Numbers {
  readonly random: readonly DepthLine[];
  readonly trained: readonly DepthLine[];
  /** Bits per character of the trained Transformer on held-out text. */
  readonly bitsPerCharacter: number;
}

/** Figure 14: how the error of approximate attention grows with the number of layers. */
export async function run(configuration: Fig14Configuration, context: ExperimentContext): Promise<Fig14Numbers> {
  const { random } = configuration;
  const part = (start: number, share: number): ExperimentContext => ({
    ...context,
    progress: (done, what) => context.progress(start + done * share, what),
  });
  const { model: trained, heldOut, bitsPerCharacter } = await trainModel(configuration.trained, part(0, 0.4));
  const options = { ...modelOptions(configuration.trained), numLayers: random.numLayers };
  const untrained = new Transformer(context.backend, options, random.seed);
  try {
    return {
      random: await errorsByDepth(untrained, heldOut, configuration, part(0.4, 0.4), 'as it starts'),
      trained: await errorsByDepth(trained, heldOut, configuration, part(0.8, 0.2), 'trained'),
      bitsPerCharacter,
    };
  } finally {
    trained.dispose();
    untrained.dispose();
  }
}

/** One line for each m: the model's hidden states by depth against those of Performers with its parameters. */
export async function errorsByDepth(
  model: Transformer,
  text: TokenSplit,
  { numFeatures, draws, seed }: Fig14Configuration,
  { backend, signal, progress }: ExperimentContext,
  name: string,
): Promise<DepthLine[]> {
  const { numLayers, maxLength } = model.configuration;
  // [line][layer][draw]
  const errors = numFeatures.map(() => Array.from({ length: numLayers }, (): number[] => []));
  for (let layers = 1; layers <= numLayers; layers++) {
    // The first layers of the model, once with exact attention and once for each m.
    const exact = firstLayers(model, layers, { type: 'exact' }, seed);
    const performers = numFeatures.map((m) => firstLayers(model, layers, { type: 'favor', numFeatures: m }, seed));
    try {
      for (let draw = 0; draw < draws; draw++) {
        const window = await spreadWindow(text, maxLength, draw, draws);
        const hidden = (of: Transformer) => numbersOf(() => of.forward(tensor(backend, window, [1, window.length])));
        const expected = await hidden(exact);
        for (const [i, performer] of performers.entries()) {
          performer.redraw(seed, draw);
          errors[i][layers - 1].push(relativeError(await hidden(performer), expected));
        }
        await pause(signal);
      }
    } finally {
      for (const one of [exact, ...performers]) one.dispose();
    }
    progress((layers * (layers + 1)) / (numLayers * (numLayers + 1)), `${name}, ${layers} layers`);
  }
  return numFeatures.map((m, i) => ({
    numFeatures: m,
    errors: errors[i].map(meanInterval),
    growth: ratioInterval(errors[i][numLayers - 1], errors[i][0]),
  }));
}

/** A model of the first layers, with the parameters of `model` and another attention. */
function firstLayers(
  model: Transformer,
  numLayers: number,
  attention: TransformerOptions['attention'],
  seed: number,
): Transformer {
  const part = new Transformer(model.backend, { ...model.configuration, numLayers, attention }, seed);
  const source = model.parameters();
  for (const [name, parameter] of part.parameters()) {
    model.backend.copy((source.get(name) as typeof parameter).storage, parameter.storage);
  }
  return part;
}

/** ‖a − b‖/‖b‖ */
function relativeError(a: FloatArray, b: FloatArray): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return Math.sqrt(difference / size);
}
