import { checkArguments } from '../base/options.ts';
import { reshape } from '../tensor/ops/layout.ts';
import { type CrossEntropy, softmaxCrossEntropy } from '../tensor/ops/losses.ts';
import { type Tensor, tensorKind } from '../tensor/tensor.ts';
import type { ForwardOptions, Transformer } from './transformer.ts';
import { transformerKind } from './transformer.ts';

/** A loss of what the layers give. */
export type HiddenLoss = (
  model: Transformer,
  hidden: Tensor,
  targets: Tensor,
  options: ForwardOptions & { weight?: number },
) => CrossEntropy;

const lossArguments = { model: transformerKind, inputs: tensorKind, targets: tensorKind };

/**
 * Next-token (or masked-token) loss of a batch.
 *
 * @param inputs int32 `[batch, length]`
 * @param targets int32 `[batch, length]`; negative = not counted
 * @param weight multiplies each token's loss, such as 1/(number of counted tokens). Default 1.
 * @returns per-token loss (nats) and correctness, `[batch·length]`
 */
export function languageModelLoss(
  model: Transformer,
  inputs: Tensor,
  targets: Tensor,
  options: ForwardOptions & { weight?: number } = {},
): CrossEntropy {
  checkArguments('languageModelLoss', { model, inputs, targets }, lossArguments);
  return tokenLossOf(model, model.forward(inputs, options), targets, options);
}

/** {@link languageModelLoss}, given the model's hidden states `[batch, length, dModel]`. */
export const tokenLossOf: HiddenLoss = (model, hidden, targets, { weight }) =>
  softmaxCrossEntropy(model.logits(hidden), reshape(targets, [targets.size]), weight);

/**
 * Loss of one class per sequence, by the model's classification head.
 *
 * @param inputs int32 `[batch, length]`; padding has negative segments or a keyMask of 0
 * @param targets int32 `[batch]` or `[batch, 1]`: classes; negative = not counted
 * @param weight multiplies each row's loss, such as 1/batch. Default 1.
 * @returns per-row loss (nats) and correctness, `[batch]`
 * @throws ConfigurationError when the model's configuration has no numClasses
 */
export function classificationLoss(
  model: Transformer,
  inputs: Tensor,
  targets: Tensor,
  options: ForwardOptions & { weight?: number } = {},
): CrossEntropy {
  checkArguments('classificationLoss', { model, inputs, targets }, lossArguments);
  return classLossOf(model, model.forward(inputs, options), targets, options);
}

/** {@link classificationLoss}, given the model's hidden states `[batch, length, dModel]`. */
export const classLossOf: HiddenLoss = (model, hidden, targets, { weight, ...options }) =>
  softmaxCrossEntropy(model.classify(hidden, options), reshape(targets, [targets.size]), weight);
