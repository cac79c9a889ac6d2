import { checkArguments } from '../base/options.ts';
import { reshape } from '../tensor/ops/layout.ts';
import { type CrossEntropy, softmaxCrossEntropy } from '../tensor/ops/losses.ts';
import { type Tensor, tensorKind } from '../tensor/tensor.ts';
import type { ForwardOptions, Transformer } from './transformer.ts';
import { transformerKind } from './transformer.ts';

type LossOptions = ForwardOptions & { weight?: number };

/** A loss per target from a batch on the backend. */
export type LossFunction = (model: Transformer, inputs: Tensor, targets: Tensor, options: LossOptions) => CrossEntropy;

/** A {@link LossFunction} that reads the hidden states `[batch, length, dModel]` in place of inputs. */
export type HiddenLoss = LossFunction;

const lossOf = (name: string, ofHidden: HiddenLoss) => {
  return (model: Transformer, inputs: Tensor, targets: Tensor, options: LossOptions = {}): CrossEntropy => {
    checkArguments(
      name,
      { model, inputs, targets },
      { model: transformerKind, inputs: tensorKind, targets: tensorKind },
    );
    return ofHidden(model, model.forward(inputs, options), targets, options);
  };
};

/** {@link languageModelLoss}, given the model's hidden states. */
export const tokenLossOf: HiddenLoss = (model, hidden, targets, { weight }) =>
  softmaxCrossEntropy(model.logits(hidden), reshape(targets, [targets.size]), weight);

/** {@link classificationLoss}, given the model's hidden states. */
export const classLossOf: HiddenLoss = (model, hidden, targets, { weight, ...options }) =>
  softmaxCrossEntropy(model.classify(hidden, options), reshape(targets, [targets.size]), weight);

/**
 * Next-token (or masked-token) loss of a batch.
 *
 * @param inputs int32 `[batch, length]`
 * @param targets int32 `[batch, length]`; negative = not counted
 * @param weight multiplies each token's loss, such as 1/(number of counted tokens). Default 1.
 * @returns per-token loss (nats) and correctness, `[batch·length]`
 */
export const languageModelLoss = lossOf('languageModelLoss', tokenLossOf);

/**
 * Loss of one class per sequence, by the model's classification head.
 *
 * @param inputs int32 `[batch, length]`; padding has negative segments or a keyMask of 0
 * @param targets int32 `[batch]` or `[batch, 1]`: classes; negative = not counted
 * @param weight multiplies each row's loss, such as 1/batch. Default 1.
 * @returns per-row loss (nats) and correctness, `[batch]`
 * @throws ConfigurationError when the model's configuration has no numClasses
 */
export const classificationLoss = lossOf('classificationLoss', classLossOf);
