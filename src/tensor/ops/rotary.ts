import { record } from '../tape.ts';
import { Tensor } from '../tensor.ts';

/**
 * Rotary positions (Su et al. 2021): rotates each pair `(x[2i], x[2i+1])` of every head by
 * `(offset + position)·base^(−2i/dHead)`.
 *
 * @param x `[batch, length, heads, dHead]`, dHead even
 * @param offset position of the first row
 */
export function rotary(x: Tensor, offset = 0, base = 10_000): Tensor {
  const [batch, length, heads, dHead] = x.shape as [number, number, number, number];
  if (dHead % 2 !== 0) throw new Error(`rotary positions need an even dHead; got ${dHead}.`);
  const rotate = (from: Tensor, inverse: boolean) => {
    const out = Tensor.empty(from.backend, from.shape);
    from.backend.rotary({
      x: from.storage,
      out: out.storage,
      batch,
      heads,
      length,
      dHead,
      layout: 'blhd',
      offset,
      base,
      inverse,
    });
    return out;
  };
  return record([x], rotate(x, false), (gradient) => [rotate(gradient, true)]);
}
