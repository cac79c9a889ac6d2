import { checkShape } from '../shape.ts';
import { record } from '../tape.ts';
import { checkTensors, Tensor } from '../tensor.ts';

/**
 * `x Wᵀ + b` over the last axis.
 *
 * @param x `[…, dIn]`
 * @param weight `[dOut, dIn]`
 * @param bias `[dOut]`
 * @returns `[…, dOut]`
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  checkTensors('linear', { x, weight, ...(bias && { bias }) });
  const { backend } = x;
  const [dOut, dIn] = weight.shape as [number, number];
  checkShape('linear: the last axis of x', [x.shape.at(-1) ?? 0], [dIn]);
  if (bias) checkShape('linear: bias', bias.shape, [dOut]);
  const rows = x.size / Math.max(dIn, 1);
  const out = Tensor.empty(backend, [...x.shape.slice(0, -1), dOut]);
  backend.gemm({
    a: x.storage,
    b: weight.storage,
    c: out.storage,
    bias: bias?.storage,
    m: rows,
    n: dOut,
    k: dIn,
    transposeB: true,
  });
  return record(bias ? [x, weight, bias] : [x, weight], out, function* (gradient, needed) {
    let dX: Tensor | undefined;
    let dWeight: Tensor | undefined;
    let dBias: Tensor | undefined;
    if (needed[0]) {
      dX = Tensor.empty(backend, x.shape);
      backend.gemm({ a: gradient.storage, b: weight.storage, c: dX.storage, m: rows, n: dIn, k: dOut });
    }
    yield;
    if (needed[1]) {
      dWeight = Tensor.empty(backend, weight.shape);
      backend.gemm({
        a: gradient.storage,
        b: x.storage,
        c: dWeight.storage,
        m: dOut,
        n: dIn,
        k: rows,
        transposeA: true,
      });
    }
    yield;
    if (needed[2]) {
      dBias = Tensor.empty(backend, [dOut]);
      backend.sumAxis({ x: gradient.storage, out: dBias.storage, outer: 1, length: rows, inner: dOut });
    }
    return [dX, dWeight, dBias];
  });
}
