import type { Batch } from '../data/windows.ts';
import type { TransformerConfiguration } from '../models/configuration.ts';
import { checkIds, type ForwardOptions, type Transformer } from '../models/transformer.ts';
import { scope } from '../tensor/scope.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import type { Objective } from './configuration.ts';
import { type LossFunction, objectiveLoss } from './objective.ts';

export type { LossFunction } from './objective.ts';

export interface Evaluation {
  /** Mean negative log-likelihood of a target (a token, or the class of a sequence), nats. */
  readonly loss: number;
  /** exp(loss). */
  readonly perplexity: number;
  /** loss/ln 2; of images, whose tokens are values of pixels, the bits per dimension. */
  readonly bitsPerToken: number;
  /** Bits per character of text; undefined when the number of characters was not given. */
  readonly bitsPerCharacter: number | undefined;
  /** Share of targets that were the most likely token or class. */
  readonly accuracy: number;
  /** Targets counted. */
  readonly tokens: number;
}

/**
 * Evaluates a model without dropout on all of `batches`.
 *
 * @param options.characters number of characters that the counted targets stand for
 * @param options.objective what the batches ask for. Default: the next token.
 * @param options.loss Default: that of the objective.
 * @throws one sentence when there is no target to count or a token lies outside the vocabulary.
 */
export async function evaluate(
  model: Transformer,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  options: {
    readonly characters?: number | undefined;
    readonly objective?: Objective | undefined;
    readonly loss?: LossFunction | undefined;
  } = {},
): Promise<Evaluation> {
  const { objective = { type: 'nextToken' } } = options;
  const lossFunction = options.loss ?? objectiveLoss(objective);
  let nats = 0;
  let hits = 0;
  let tokens = 0;
  for await (const batch of batches) {
    checkBatch(batch, model.configuration, objective);
    const { loss, correct } = scope(() => {
      const [inputs, targets] = batchTensors(model, batch);
      return lossFunction(model, inputs, targets, batchOptions(model, batch));
    });
    nats += await takeSum(loss);
    hits += await takeSum(correct, batch.targets);
    tokens += countTargets(batch);
    await breathe();
  }
  if (tokens === 0) throw new Error('There is nothing to evaluate on: give held-out data of at least two tokens.');
  const loss = nats / tokens;
  const characters = options.characters;
  return {
    loss,
    perplexity: Math.exp(loss),
    bitsPerToken: loss / Math.LN2,
    bitsPerCharacter: characters === undefined ? undefined : nats / Math.LN2 / characters,
    accuracy: hits / tokens,
    tokens,
  };
}

/** Inputs `[batchSize, length]` and targets `[batchSize, length or 1]` on the model's backend. */
export function batchTensors(model: Transformer, batch: Batch): [inputs: Tensor, targets: Tensor] {
  const { inputs, targets, batchSize, length } = batch;
  return [
    tensor(model.backend, inputs, [batchSize, length]),
    tensor(model.backend, targets, [batchSize, targets.length / batchSize]),
  ];
}

/** What a forward pass needs to know of a batch besides its inputs. */
export function batchOptions(
  { configuration }: Transformer,
  { inputs, segments, batchSize, length }: Batch,
): Pick<ForwardOptions, 'segments' | 'maskedTokens'> {
  const { tokenDropout } = configuration;
  const maskedTokens =
    tokenDropout &&
    Array.from({ length: batchSize }, (_, row) =>
      inputs.subarray(row * length, (row + 1) * length).map((id) => (id === tokenDropout.maskToken ? 1 : 0)),
    );
  return { segments, maskedTokens };
}

/** @throws one sentence when a token lies outside the vocabulary, or a class is none of the model's. */
export function checkBatch({ inputs, targets }: Batch, model: TransformerConfiguration, objective: Objective): void {
  const { vocabSize, numClasses = 0 } = model;
  checkIds(inputs, vocabSize);
  const isClass = objective.type === 'classification';
  const end = isClass ? numClasses : vocabSize;
  const beyond = targets.find((target) => target >= end);
  if (beyond === undefined) return;
  if (isClass)
    throw new Error(`Class ${beyond} is none of the model's ${numClasses}; raise numClasses, or mend the data.`);
  checkIds([beyond], vocabSize);
}

/** Number of targets that count. */
export function countTargets({ targets }: Batch): number {
  let count = 0;
  for (const target of targets) if (target >= 0) count++;
  return count;
}

/** Sum of a tensor's elements in float64, where `targets` (if given) are not negative; disposes the tensor. */
export async function takeSum(values: Tensor, targets?: Int32Array): Promise<number> {
  try {
    const data = await values.data();
    let sum = 0;
    for (let i = 0; i < data.length; i++) if (!targets || targets[i]! >= 0) sum += data[i]!;
    return sum;
  } finally {
    values.dispose();
  }
}

/** Lets timers, signals and drawing happen between two pieces of work. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}
