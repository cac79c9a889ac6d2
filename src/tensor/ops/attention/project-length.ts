import type { AttentionLayout } from '../../../backend/types.ts';
import { ShapeError } from '../../../base/errors.ts';
import { formatShape } from '../../shape.ts';
import { record } from '../../tape.ts';
import { Tensor } from '../../tensor.ts';
import { attentionShape } from './shapes.ts';

/**
 * Mixes the positions of every head: row r of the result is `Σ_j projection[r, j]·x_j`, in
 * O(heads·length·projectedLength·d) time. A sequence of `length` positions uses the first `length` columns.
 *
 * @param x `[batch, heads, length, d]`, or `[batch, length, heads, d]` with layout `blhd`
 * @param projection `[projectedLength, maxLength]`, one for all heads, or `[heads, projectedLength, maxLength]`
 * @returns shaped like x, with projectedLength for length
 * @throws ShapeError when the length exceeds maxLength, or the heads are others than the projection's.
 */
export function projectLength(x: Tensor, projection: Tensor, layout: AttentionLayout): Tensor {
  const { backend } = x;
  const [batch, heads, length, d] = headsFirstShape(x, layout);
  const [rows, maxLength] = projection.shape.slice(-2);
  const isShared = projection.shape.length === 2;
  if (length > maxLength || !(isShared || projection.shape[0] === heads)) {
    throw new ShapeError(
      `projectLength: a projection of shape ${formatShape(projection.shape)} does not fit ${heads} heads of ${length} positions.`,
    );
  }
  const out = Tensor.empty(backend, attentionShape(layout, batch, heads, rows, d));
  // Products of one batch row: heads that share a projection and are side by side are one product.
  const [products, width] = isShared && layout === 'blhd' ? [1, heads * d] : [heads, d];
  const stride = layout === 'blhd' ? heads * d : d;
  const strideOf = (positions: number) => (layout === 'blhd' ? d : positions * d);
  const strideA = isShared ? 0 : rows * maxLength;
  const rowOf = (y: Tensor, row: number) => backend.slice(y.storage, (row * y.size) / batch, y.size / batch);
  for (let row = 0; row < batch; row++) {
    backend.gemm({
      ...{ a: projection.storage, lda: maxLength, strideA },
      ...{ b: rowOf(x, row), ldb: stride, strideB: strideOf(length) },
      ...{ c: rowOf(out, row), ldc: stride, strideC: strideOf(rows) },
      ...{ m: rows, n: width, k: length, batch: products },
    });
  }
  return record([x, projection], out, (gradient, needed) => {
    let dX: Tensor | undefined;
    let dProjection: Tensor | undefined;
    if (needed[0]) dX = Tensor.empty(backend, x.shape);
    if (needed[1]) dProjection = Tensor.zeros(backend, projection.shape);
    for (let row = 0; row < batch; row++) {
      if (dX) {
        backend.gemm({
          ...{ a: projection.storage, lda: maxLength, strideA, transposeA: true },
          ...{ b: rowOf(gradient, row), ldb: stride, strideB: strideOf(rows) },
          ...{ c: rowOf(dX, row), ldc: stride, strideC: strideOf(length) },
          ...{ m: length, n: width, k: rows, batch: products },
        });
      }
      for (let product = 0; dProjection && product < products; product++) {
        const [from, to] = [product * strideOf(rows), product * strideOf(length)];
        const [dRow, xRow] = [rowOf(gradient, row), rowOf(x, row)];
        const start = product * strideA;
        backend.gemm({
          ...{ a: backend.slice(dRow, from, dRow.length - from), lda: stride },
          ...{ b: backend.slice(xRow, to, xRow.length - to), ldb: stride, transposeB: true },
          ...{ c: backend.slice(dProjection.storage, start, rows * maxLength), ldc: maxLength },
          ...{ m: rows, n: length, k: width, accumulate: true },
        });
      }
    }
    return [dX, dProjection];
  });
}

function headsFirstShape({ shape }: Tensor, layout: AttentionLayout): [number, number, number, number] {
  const [batch, first, second, d] = shape;
  return layout === 'bhld' ? [batch, first, second, d] : [batch, second, first, d];
}
