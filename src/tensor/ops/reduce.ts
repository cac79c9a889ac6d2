import { ShapeError } from '../../base/errors.ts';
import { checkOptions, describe, option } from '../../base/options.ts';
import { checkShape } from '../shape.ts';
import { record, scopeUnlessTracked } from '../tape.ts';
import { checkTensors, type Tensor } from '../tensor.ts';
import { axisOf, broadcastStrides, checkFloats, stridedCopy, sumOver } from './broadcasting.ts';
import { scale, scaleRows } from './elementwise.ts';

/** Over which axes numbers are summed. */
export interface ReduceOptions {
  /** Counted from the end where negative. Default: all axes, which gives a tensor of shape `[]`. */
  readonly axes?: readonly number[] | undefined;
  /** Leave summed axes with length 1. Default false: they are dropped. */
  readonly keepDims?: boolean | undefined;
}

function axesOf(where: string, x: Tensor, { axes }: ReduceOptions): number[] {
  if (axes === undefined) return [...x.shape.keys()];
  const found = axes.map((axis) => axisOf(where, axis, x.shape.length));
  const twice = found.find((axis, i) => found.indexOf(axis) !== i);
  if (twice !== undefined) throw new ShapeError(`${where}: axis ${twice} is named twice in ${describe(axes)}.`);
  return found;
}

function reduce(where: string, x: Tensor, options: ReduceOptions): { sum: Tensor; count: number } {
  checkFloats(where, { x });
  checkOptions<ReduceOptions>(where, options, { axes: option.list, keepDims: option.boolean });
  const axes = axesOf(where, x, options);
  const kept = sumOver(x, axes);
  const ones = kept.shape;
  const out = options.keepDims ? kept.view() : kept.view(ones.filter((_, axis) => !axes.includes(axis)));
  kept.dispose();
  const sum = record([x], out, (gradient) => {
    const spread = gradient.view(ones);
    const dX = stridedCopy(where, spread, x.shape, broadcastStrides(ones, x.shape));
    spread.dispose();
    return [dX];
  });
  return { sum, count: axes.reduce((product, axis) => product * x.shape[axis], 1) };
}

/**
 * Sum over axes: in float32 over short stretches, whose totals are float64. Over no elements: 0.
 *
 * @throws ShapeError for an axis that x does not have.
 */
export function sum(x: Tensor, options: ReduceOptions = {}): Tensor {
  return reduce('sum', x, options).sum;
}

/** Mean over axes, as by {@link sum}. Over no elements: NaN. */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  return scopeUnlessTracked([x], () => {
    const { sum: total, count } = reduce('mean', x, options);
    return scale(total, 1 / count);
  });
}

/**
 * `out[b] = Σ_i weights[b, i]·x[b, i]`, such as a mean over some positions; a position of weight 0 is left out, whatever it holds.
 * Differentiable in `x` alone.
 *
 * @param x `[batch, length, width]`
 * @param weights `[batch, length]`
 * @returns `[batch, width]`
 */
export function weightedSum(x: Tensor, weights: Tensor): Tensor {
  checkTensors('weightedSum', { x, weights });
  const [batch, length] = x.shape;
  checkShape('weightedSum: weights', weights.shape, [batch, length]);
  return scopeUnlessTracked([x], () => sum(scaleRows(x, weights), { axes: [1] }));
}
