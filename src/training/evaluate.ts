import type { Batch } from '../data/windows.ts';
import { languageModelLoss } from '../models/language-model.ts';
import { checkIds, type ForwardOptions, type Transformer } from '../models/transformer.ts';
import type { CrossEntropy } from '../tensor/ops/softmax-cross-entropy.ts';
import { scope } from '../tensor/scope.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';

/** A loss per token from a batch on the backend; {@link languageModelLoss} is the default everywhere. */
export type LossFunction = (
  model: Transformer,
  inputs: Tensor,
  targets: Tensor,
  options: ForwardOptions & { weight?: number },
) => CrossEntropy;

export interface Evaluation {
  /** Mean negative log-likelihood of a token, nats. */
  readonly loss: number;
  /** exp(loss). */
  readonly perplexity: number;
  readonly bitsPerToken: number;
  /** Bits per character of text; undefined when the number of characters was not given. */
  readonly bitsPerCharacter: number | undefined;
  /** Share of tokens whose target was the most likely one. */
  readonly accuracy: number;
  /** Targets counted. */
  readonly tokens: number;
}

/**
 * Evaluates a model without dropout on all of `batches`.
 *
 * @param options.characters number of characters that the counted targets stand for
 * @throws one sentence when there is no target to count or a token lies outside the vocabulary.
 */
export async function evaluate(
  model: Transformer,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  options: { readonly characters?: number; readonly loss?: LossFunction } = {},
): Promise<Evaluation> {
  const lossFunction = options.loss ?? languageModelLoss;
  let nats = 0;
  let hits = 0;
  let tokens = 0;
  for await (const batch of batches) {
    checkBatch(batch, model.configuration.vocabSize);
    const { loss, correct } = scope(() => {
      const [inputs, targets] = batchTensors(model, batch);
      return lossFunction(model, inputs, targets, { segments: batch.segments });
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

/** @throws one sentence when a token lies outside the vocabulary. */
export function checkBatch({ inputs, targets }: Batch, vocabSize: number): void {
  checkIds(inputs, vocabSize);
  for (const target of targets) if (target >= vocabSize) checkIds([target], vocabSize);
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
