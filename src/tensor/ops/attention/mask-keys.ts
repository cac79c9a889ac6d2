import type { AttentionLayout } from '../../../backend/types.ts';
import { scopeUnlessTracked } from '../../tape.ts';
import { Tensor } from '../../tensor.ts';
import { where } from '../elementwise.ts';

/**
 * Zeros in place of masked keys, or of their values, whatever these hold; they get no gradient.
 *
 * @param x `[batch, heads, length, d]`, or `[batch, length, heads, d]` with layout `blhd`
 * @param keyMask `[batch, length]` of ones and zeros
 */
export function maskKeys(x: Tensor, keyMask: Tensor, layout: AttentionLayout): Tensor {
  const [batch, length] = keyMask.shape;
  return scopeUnlessTracked([x], () => {
    const isValid = keyMask.view(layout === 'blhd' ? [batch, length, 1, 1] : [batch, 1, length, 1]);
    return where(isValid, x, Tensor.zeros(x.backend, []));
  });
}
