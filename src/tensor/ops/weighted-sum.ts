import { checkShape } from '../shape.ts';
import { record } from '../tape.ts';
import { checkTensors, Tensor } from '../tensor.ts';

/**
 * `out[b] = Σ_i weights[b, i]·x[b, i]`, such as a mean over some places. Differentiable in `x` alone.
 *
 * @param x `[batch, length, width]`
 * @param weights `[batch, length]`
 * @returns `[batch, width]`
 */
export function weightedSum(x: Tensor, weights: Tensor): Tensor {
  checkTensors('weightedSum', { x, weights });
  const { backend } = x;
  const [batch, length, width] = x.shape as [number, number, number];
  checkShape('weightedSum: weights', weights.shape, [batch, length]);
  const out = Tensor.empty(backend, [batch, width]);
  backend.gemm({ a: weights.storage, b: x.storage, c: out.storage, m: 1, n: width, k: length, batch });
  return record([x], out, (gradient) => {
    const dX = Tensor.empty(backend, x.shape);
    backend.gemm({ a: weights.storage, b: gradient.storage, c: dX.storage, m: length, n: width, k: 1, batch });
    return [dX];
  });
}
