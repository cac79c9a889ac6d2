import { record } from '../tape.ts';
import { Tensor } from '../tensor.ts';

/**
 * `out[r, c] = factors[r]·x[r, c]`. A factor of 0 leaves its row out: zeros whatever it holds, infinities and NaN included,
 * and no gradient. Differentiable in `x` alone.
 *
 * @param x `[…, columns]`
 * @param factors one number for each row, whatever its shape
 */
export function scaleRows(x: Tensor, factors: Tensor): Tensor {
  const scaled = (from: Tensor) => {
    const { backend } = from;
    const out = Tensor.empty(backend, from.shape);
    const arrays = { x: from.storage, factors: factors.storage, out: out.storage };
    backend.scaleRows({ ...arrays, rows: factors.size, width: from.shape.at(-1)! });
    return out;
  };
  return record([x], scaled(x), (gradient) => [scaled(gradient)]);
}
