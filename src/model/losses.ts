import { checkArguments, option } from '../base/options.ts';
import { reshape } from '../tensor/ops/layout.ts';
import { type CrossEntropy, softmaxCrossEntropy } from '../tensor/ops/losses.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { ForwardOptions, Transformer } from './transformer.ts';

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
  checkArguments(
    'languageModelLoss',
    { model, inputs, targets },
    {
      model: option.having('a Transformer', 'backend', 'configuration', 'parameters', 'forward'),
      inputs: option.instance(Tensor),
      targets: option.instance(Tensor),
    },
  );
  const logits = model.logits(model.forward(inputs, options));
  return softmaxCrossEntropy(logits, reshape(targets, [targets.size]), options.weight);
}

/**
 * Loss of one class per sequence, by the model's classification head.
 *
 * @param inputs int32 `[batch, length]`; padding has negative segments or a keyMask of 0
 * @param targets int32 `[batch]` or `[batch, 1]`: classes; negative = not counted
 * @param weight multiplies each row's loss, such as 1/batch. Default 1.
 * @returns per-row loss (nats) and correctness, `[batch]`
 * @throws when the model's configuration has no numClasses
 */
export function classificationLoss(
  model: Transformer,
  inputs: Tensor,
  targets: Tensor,
  options: ForwardOptions & { weight?: number } = {},
): CrossEntropy {
  checkArguments(
    'classificationLoss',
    { model, inputs, targets },
    {
      model: option.having('a Transformer', 'backend', 'configuration', 'parameters', 'forward'),
      inputs: option.instance(Tensor),
      targets: option.instance(Tensor),
    },
  );
  const logits = model.classify(model.forward(inputs, options), options);
  return softmaxCrossEntropy(logits, reshape(targets, [targets.size]), options.weight);
}
