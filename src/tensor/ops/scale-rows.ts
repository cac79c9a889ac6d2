import { Tensor } from '../tensor.ts';

/** `out[r, c] = factors[r]·x[r, c]`, for adjoints: not differentiable. `x` `[…, columns]`, `factors` `[rows]`. */
export function scaleRows(x: Tensor, factors: Tensor): Tensor {
  const { backend } = x;
  const columns = x.shape.at(-1)!;
  const out = Tensor.empty(backend, x.shape);
  backend.gemm({ a: factors.storage, b: x.storage, c: out.storage, m: 1, n: columns, k: 1, batch: factors.size });
  return out;
}
