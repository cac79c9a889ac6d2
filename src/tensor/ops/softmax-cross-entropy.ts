import { checkShape } from '../shape.ts';
import { isTracked, record } from '../tape.ts';
import { checkTensors, Tensor } from '../tensor.ts';
import { scaleRows } from './scale-rows.ts';

/** Per-row results of {@link softmaxCrossEntropy}. */
export interface CrossEntropy {
  /** `[rows]`: weight · (−log softmax(logits)[target]), nats. */
  readonly loss: Tensor;
  /** `[rows]`: 1 where the target is the largest logit, else 0. Not differentiable. */
  readonly correct: Tensor;
}

/**
 * Cross-entropy of each row, fused with its gradient. When a tape tracks `logits`, their memory is overwritten by the
 * gradient: do not read them afterwards.
 *
 * @param logits `[rows, vocabSize]`
 * @param targets int32 `[rows]`; a negative target gives loss 0 and no gradient
 * @param weight multiplies every row's loss, such as 1/(number of valid rows)
 */
export function softmaxCrossEntropy(logits: Tensor, targets: Tensor, weight = 1): CrossEntropy {
  checkTensors('softmaxCrossEntropy', { logits, targets });
  const { backend } = logits;
  const [rows, vocabSize] = logits.shape as [number, number];
  checkShape('softmaxCrossEntropy: targets', targets.shape, [rows]);
  const tracked = isTracked(logits);
  const loss = Tensor.empty(backend, [rows]);
  const correct = Tensor.empty(backend, [rows]);
  backend.softmaxCrossEntropy({
    logits: logits.storage,
    targets: targets.storage,
    loss: loss.storage,
    correct: correct.storage,
    dLogits: tracked ? logits.storage : undefined,
    rows,
    vocabSize,
    gradientScale: weight,
  });
  if (weight !== 1) backend.scale(loss.storage, loss.storage, weight);
  record([logits], loss, (gradient, _, isSeed) => [isSeed ? logits.view() : scaleRows(logits, gradient)]);
  return { loss, correct };
}
