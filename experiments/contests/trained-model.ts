import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { evaluationWindows, fromTexts, type TokenSplit, trainingWindows } from '../../src/entries/data.ts';
import { Transformer, type TransformerOptions } from '../../src/entries/performers.ts';
import { ByteTokenizer } from '../../src/entries/tokenizers.ts';
import { evaluate, parseTrainingConfiguration, Trainer } from '../../src/entries/training.ts';
import { type ExperimentContext, pause } from '../experiment.ts';
import { mobyDickPath } from '../sources/moby-dick.ts';
import { layerSizes } from './language-contest.ts';

const count = z.int().min(1);

/** A small causal Transformer with exact attention over the bytes of Moby-Dick, its last tenth held out. */
export const trainedModelSchema = z.strictObject({
  ...layerSizes,
  /** Tokens of a window, in training and after. */
  length: count,
  batchSize: count,
  steps: count,
  learningRate: z.number().positive(),
  /** The text is cut off here; default: all of it. */
  maxCharacters: count.optional(),
  seed: z.int().min(0),
});

export type TrainedModelConfiguration = z.output<typeof trainedModelSchema>;

/** What `--quick` trains. */
export const quickModel: TrainedModelConfiguration = {
  dModel: 64,
  numLayers: 2,
  numHeads: 2,
  dFeedForward: 128,
  length: 128,
  batchSize: 4,
  steps: 60,
  learningRate: 0.003,
  seed: 1,
};

export interface TrainedModel {
  readonly model: Transformer;
  readonly heldOut: TokenSplit;
  /** Bits per character of the held-out text, in windows without context. */
  readonly bitsPerCharacter: number;
}

/** The options of the model before training. */
export function modelOptions(configuration: TrainedModelConfiguration): TransformerOptions {
  const { dModel, numLayers, numHeads, dFeedForward, length } = configuration;
  const sizes = { vocabSize: 256, dModel, numLayers, numHeads, dFeedForward, maxLength: length };
  return { ...sizes, positions: 'rotary', attention: { type: 'exact' }, dropout: 0 };
}

/** Trains the model from its seed; the caller disposes it. */
export async function trainModel(
  configuration: TrainedModelConfiguration,
  { backend, signal, progress }: ExperimentContext,
): Promise<TrainedModel> {
  const { length, batchSize, steps, learningRate, maxCharacters, seed } = configuration;
  const text = (await readFile(mobyDickPath(), 'utf8')).slice(0, maxCharacters);
  const store = await fromTexts([text], new ByteTokenizer(), { by: 'tail' });
  const model = new Transformer(backend, modelOptions(configuration), seed);
  const training = parseTrainingConfiguration({
    steps,
    batchSize,
    length,
    learningRate,
    warmupSteps: Math.ceil(steps / 20),
    schedule: { kind: 'cosine' },
    seed,
  });
  const trainer = new Trainer({
    model,
    data: trainingWindows(store.train, { batchSize, length, seed }),
    configuration: training,
  });
  try {
    for (let step = 1; step <= steps; step++) {
      const { loss } = await trainer.step();
      progress(step / steps, `training, loss ${loss.toFixed(2)}`);
      await pause(signal);
    }
    const windows = evaluationWindows(store.heldOut, { batchSize, length });
    const { bitsPerCharacter } = await evaluate(model, windows.batches(), { characters: store.heldOut.characters });
    return { model, heldOut: store.heldOut, bitsPerCharacter: bitsPerCharacter as number };
  } catch (error) {
    model.dispose();
    throw error;
  } finally {
    trainer.dispose();
  }
}

/** Window `index` of `count` windows spread over the text. */
export function spreadWindow(tokens: TokenSplit, length: number, index: number, count: number): Promise<Int32Array> {
  const room = tokens.length - length;
  return tokens.read(count > 1 ? Math.floor((room * index) / (count - 1)) : 0, length);
}
