import { reshape } from '../tensor/ops/reshape.ts';
import { type CrossEntropy, softmaxCrossEntropy } from '../tensor/ops/softmax-cross-entropy.ts';
import type { Tensor } from '../tensor/tensor.ts';
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
  const logits = model.logits(model.forward(inputs, options));
  return softmaxCrossEntropy(logits, reshape(targets, [targets.size]), options.weight);
}
