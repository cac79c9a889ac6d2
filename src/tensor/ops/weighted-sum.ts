import { checkShape } from '../shape.ts';
import { record, scopeUnlessTracked } from '../tape.ts';
import { checkTensors, Tensor } from '../tensor.ts';
import { scaleRows } from './elementwise.ts';

/**
 * `out[b] = Σ_i weights[b, i]·x[b, i]`, such as a mean over some places; a place of weight 0 is left out, whatever it holds.
 * Differentiable in `x` alone.
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
  return scopeUnlessTracked([x], () => sumOfPlaces(scaleRows(x, weights), backend, batch, length, width));
}

/** `[batch, length, width]` → `[batch, width]`. */
function sumOfPlaces(x: Tensor, backend: Tensor['backend'], batch: number, length: number, width: number): Tensor {
  const ones = Tensor.empty(backend, [length]);
  backend.fill(ones.storage, 1);
  const product = { batch, n: width, strideA: 0 };
  const out = Tensor.empty(backend, [batch, width]);
  backend.gemm({ ...product, a: ones.storage, b: x.storage, c: out.storage, m: 1, k: length });
  return record(
    [x],
    out,
    (gradient) => {
      const dX = Tensor.empty(backend, x.shape);
      backend.gemm({ ...product, a: ones.storage, b: gradient.storage, c: dX.storage, m: length, k: 1 });
      return [dX];
    },
    [ones],
  );
}
