import { checkShape } from '../shape.ts';
import { isTracked, record } from '../tape.ts';
import { checkTensors, Tensor } from '../tensor.ts';
import { scaleRows } from './elementwise.ts';

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

/**
 * Squared distance of each row from a teacher's: `loss[r] = weight·Σ_c (x[r, c] − target[r, c])²`. Differentiable in `x`
 * alone.
 *
 * @param x `[…, width]`; its rows are the product of the leading axes
 * @param target shaped like x
 * @param weight multiplies every row's loss, such as 1/rows
 * @returns `[rows]`
 */
export function squaredError(x: Tensor, target: Tensor, weight = 1): Tensor {
  const { backend } = x;
  checkShape('squaredError: the target', target.shape, x.shape);
  const width = x.shape.at(-1)!;
  const rows = x.size / width;
  const difference = Tensor.empty(backend, x.shape);
  backend.copy(x.storage, difference.storage);
  backend.axpy(-1, target.storage, difference.storage);
  const squares = Tensor.empty(backend, x.shape);
  backend.multiply(difference.storage, difference.storage, squares.storage);
  const ones = Tensor.empty(backend, [width]);
  backend.fill(ones.storage, 1);
  const loss = Tensor.empty(backend, [rows]);
  const sums = { a: ones.storage, b: squares.storage, c: loss.storage, m: 1, n: rows, k: width };
  backend.gemm({ ...sums, transposeB: true, alpha: weight });
  for (const used of [squares, ones]) used.dispose();
  const adjoint = (gradient: Tensor, isSeed: boolean) => {
    const dX = isSeed ? difference.view() : scaleRows(difference, gradient);
    backend.scale(dX.storage, dX.storage, 2 * weight);
    return dX;
  };
  return record([x], loss, (gradient, _, isSeed) => [adjoint(gradient, isSeed)], [difference]);
}
