import type { AttentionLayout } from '../../../backend/types.ts';
import { record } from '../../tape.ts';
import { Tensor } from '../../tensor.ts';

/**
 * Zeros in place of masked keys, or of their values, whatever these hold; they get no gradient.
 *
 * @param x `[batch, heads, length, d]`, or `[batch, length, heads, d]` with layout `blhd`
 * @param keyMask `[batch, length]` of ones and zeros
 */
export function maskKeys(x: Tensor, keyMask: Tensor, layout: AttentionLayout): Tensor {
  const [batch, first, second, d] = x.shape;
  const masked = ({ backend, storage, shape, size }: Tensor) => {
    const out = Tensor.empty(backend, shape);
    if (layout === 'blhd') {
      const arrays = { x: storage, factors: keyMask.storage, out: out.storage };
      backend.scaleRows({ ...arrays, rows: batch * first, width: second * d });
      return out;
    }
    for (let row = 0; row < batch; row++) {
      const part = (all: typeof storage) => backend.slice(all, (row * size) / batch, size / batch);
      const factors = backend.slice(keyMask.storage, row * second, second);
      backend.scaleRows({ x: part(storage), factors, out: part(out.storage), rows: first * second, width: d });
    }
    return out;
  };
  return record([x], masked(x), (gradient) => [masked(gradient)]);
}
