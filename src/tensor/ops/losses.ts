import { DataError, ShapeError } from '../../base/errors.ts';
import { describe } from '../../base/options.ts';
import { checkShape } from '../shape.ts';
import { isTracked, record } from '../tape.ts';
import { checkTensors, Tensor } from '../tensor.ts';
import { checkFloats } from './broadcasting.ts';
import { combine, scaleRows } from './elementwise.ts';

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
  const [rows] = logits.shape;
  checkShape('softmaxCrossEntropy: targets', targets.shape, [rows]);
  return crossEntropyOf(logits, targets, weight, isTracked(logits) ? logits.view() : undefined);
}

/** @param dLogits where the gradient goes, if it is wanted; may be the memory of the logits */
function crossEntropyOf(logits: Tensor, targets: Tensor, weight: number, dLogits: Tensor | undefined): CrossEntropy {
  const { backend } = logits;
  const vocabSize = logits.shape.at(-1)!;
  const [loss, correct] = [0, 1].map(() => Tensor.empty(backend, targets.shape));
  backend.softmaxCrossEntropy({
    logits: logits.storage,
    targets: targets.storage,
    loss: loss.storage,
    correct: correct.storage,
    dLogits: dLogits?.storage,
    rows: targets.size,
    vocabSize,
    gradientScale: weight,
  });
  if (weight !== 1) backend.scale(loss.storage, loss.storage, weight);
  record([logits], loss, (gradient, _, isSeed) => [isSeed ? dLogits!.view() : scaleRows(dLogits!, gradient)]);
  return { loss, correct };
}

/**
 * Cross-entropy of classes: `−log softmax(logits)[target]`, nats. The logits stay as they are.
 *
 * @param logits `[…, numClasses]`
 * @param targets int32 `[…]`, each below numClasses; a negative target gives loss 0 and no gradient
 * @returns `[…]`
 * @throws ShapeError when the shapes do not fit; DataError for targets that are no int32, or beyond the classes.
 */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  checkFloats('crossEntropy', { logits });
  checkTensors('crossEntropy', { logits, targets });
  if (targets.type !== 'int32') {
    throw new DataError(
      "crossEntropy: the targets hold floats; make them with tensor(backend, targets, shape, 'int32').",
    );
  }
  if (logits.shape.length === 0) throw new ShapeError('crossEntropy: the logits have no axes; give […, numClasses].');
  checkShape('crossEntropy: targets', targets.shape, logits.shape.slice(0, -1));
  const dLogits = isTracked(logits) ? Tensor.empty(logits.backend, logits.shape) : undefined;
  const { loss, correct } = crossEntropyOf(logits, targets, 1, dLogits);
  correct.dispose();
  return loss;
}

/**
 * How far the softmax of each row of logits is from a teacher's, fused with its gradient. With temperature T, p =
 * softmax(targets/T) and q = softmax(logits/T): `T²·KL(p ‖ q)`, nats. That is the cross-entropy of soft targets less
 * their own entropy, so it is 0 where the two agree. T² keeps the size of gradients whatever T is (Hinton et al. 2015,
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
 * Squared distance of each row from a target: `loss[r] = weight·Σ_c (x[r, c] − target[r, c])²`.
 *
 * @param x `[…, width]`
 * @param target shaped like x
 * @param weight multiplies every row's loss, such as 1/(rows·width) for a mean. Default 1.
 * @returns `[…]`
 * @throws ShapeError when the shapes differ; DataError for int32.
 */
export function squaredError(x: Tensor, target: Tensor, weight = 1): Tensor {
  checkFloats('squaredError', { x, target });
  if (typeof weight !== 'number') throw new DataError(`squaredError: weight is ${describe(weight)}; give a number.`);
  const { backend } = x;
  if (x.shape.length === 0) throw new ShapeError('squaredError: x has no axes; give […, width].');
  checkShape('squaredError: the target', target.shape, x.shape);
  const [outer, length] = [x.shape.slice(0, -1).reduce((product, size) => product * size, 1), x.shape.at(-1)!];
  const difference = combine('subtract', x, target);
  const squares = combine('multiply', difference, difference);
  const loss = Tensor.empty(backend, x.shape.slice(0, -1));
  backend.sumAxis({ x: squares.storage, out: loss.storage, outer, length, inner: 1 });
  if (weight !== 1) backend.scale(loss.storage, loss.storage, weight);
  squares.dispose();
  const adjoint = (gradient: Tensor, isSeed: boolean, sign: number) => {
    const rows = isSeed ? difference : scaleRows(difference, gradient);
    const dX = Tensor.empty(backend, x.shape);
    backend.scale(rows.storage, dX.storage, 2 * sign * weight);
    if (!isSeed) rows.dispose();
    return dX;
  };
  return record(
    [x, target],
    loss,
    (gradient, needed, isSeed) => [1, -1].map((sign, i) => (needed[i] ? adjoint(gradient, isSeed, sign) : undefined)),
    [difference],
  );
}
