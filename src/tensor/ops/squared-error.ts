import { checkShape } from '../shape.ts';
import { record } from '../tape.ts';
import { Tensor } from '../tensor.ts';
import { scaleRows } from './scale-rows.ts';

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
