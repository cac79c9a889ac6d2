import { checkShape } from '../shape.ts';
import { isTracked, record } from '../tape.ts';
import { Tensor } from '../tensor.ts';
import { scaleRows } from './scale-rows.ts';
import type { CrossEntropy } from './softmax-cross-entropy.ts';

/**
 * How far the softmax of each row of logits is from a teacher's: with temperature T, p = softmax(targets/T) and
 * q = softmax(logits/T), `T²·KL(p ‖ q)`, nats, fused with its gradient. That is the cross-entropy of soft targets less
 * their own entropy, so that it is 0 where the two agree; T² keeps the size of gradients whatever T is (Hinton et al. 2015,
 * "Distilling the Knowledge in a Neural Network", section 2). When a tape tracks `logits`, the memory of `targets` is
 * overwritten by the gradient: do not read them afterwards.
 *
 * @param logits `[rows, vocabSize]`
 * @param targets `[rows, vocabSize]`: the teacher's logits; not differentiable
 * @param weight multiplies every row's loss, such as 1/rows
 * @returns `[rows]` each; `correct` is 1 where both have the largest logit at the same place
 */
export function softmaxKlDivergence(logits: Tensor, targets: Tensor, temperature = 1, weight = 1): CrossEntropy {
  const { backend } = logits;
  const [rows, vocabSize] = logits.shape as [number, number];
  checkShape('softmaxKlDivergence: targets', targets.shape, logits.shape);
  const loss = Tensor.empty(backend, [rows]);
  const correct = Tensor.empty(backend, [rows]);
  backend.softmaxKlDivergence({
    logits: logits.storage,
    targets: targets.storage,
    loss: loss.storage,
    correct: correct.storage,
    dLogits: isTracked(logits) ? targets.storage : undefined,
    rows,
    vocabSize,
    inverseTemperature: 1 / temperature,
    gradientScale: weight * temperature,
  });
  backend.scale(loss.storage, loss.storage, weight * temperature ** 2);
  record([logits], loss, (gradient, _, isSeed) => [isSeed ? targets.view() : scaleRows(targets, gradient)]);
  return { loss, correct };
}
