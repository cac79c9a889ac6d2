import type { GemmArguments } from '../../backend/types.ts';
import { ShapeError } from '../../base/errors.ts';
import { checkOptions, option } from '../../base/options.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../shape.ts';
import { record } from '../tape.ts';
import { Tensor } from '../tensor.ts';
import { broadcastShapes, broadcastStrides, checkFloats, stridedCopy, sumTo } from './broadcasting.ts';

/** Whether matrices are taken as they are, or transposed, which costs nothing. */
export interface MatmulOptions {
  /** `a` is `[…, k, m]`. Default false. */
  readonly transposeA?: boolean | undefined;
  /** `b` is `[…, n, k]`. Default false. */
  readonly transposeB?: boolean | undefined;
}

/**
 * Products of matrices. Axes before the last two are broadcast: `[5, 2, 3] × [3, 7]` is `[5, 2, 7]`. O(batch·m·n·k).
 *
 * @param a `[…, m, k]`
 * @param b `[…, k, n]`
 * @returns `[…, m, n]`
 * @throws ShapeError when the shapes do not fit; DataError for int32.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  checkFloats('matmul', { a, b });
  checkOptions<MatmulOptions>('matmul', options, { transposeA: option.boolean, transposeB: option.boolean });
  const { transposeA = false, transposeB = false } = options;
  const k = sizesOf(a, transposeA)[1];
  if (Math.min(a.shape.length, b.shape.length) < 2 || k !== sizesOf(b, transposeB)[0]) {
    const transposed = [transposeA && 'a', transposeB && 'b'].filter(Boolean).join(' and ');
    throw new ShapeError(
      `matmul: shapes ${formatShape(a.shape)} and ${formatShape(b.shape)}${transposed && `, with ${transposed} transposed,`} ` +
        'do not fit: give […, m, k] and […, k, n].',
    );
  }
  return record([a, b], product(a, b, transposeA, transposeB), (gradient, needed) => {
    const dA = () =>
      transposeA ? product(b, gradient, transposeB, true, a) : product(gradient, b, false, !transposeB, a);
    const dB = () =>
      transposeB ? product(gradient, a, true, transposeA, b) : product(a, gradient, !transposeA, false, b);
    return [needed[0] ? dA() : undefined, needed[1] ? dB() : undefined];
  });
}

/** Rows and columns of the matrices, transposed if so told. */
function sizesOf({ shape }: Tensor, transposed: boolean): [rows: number, columns: number] {
  const [rows, columns] = shape.slice(-2);
  return transposed ? [columns, rows] : [rows, columns];
}

/** The product, not recorded; summed to the shape of `like` if that is given. */
function product(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean, like?: Tensor): Tensor {
  const { backend } = a;
  const [m, k] = sizesOf(a, transposeA);
  const n = sizesOf(b, transposeB)[1];
  const [batchA, batchB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const batch = broadcastShapes('matmul', batchA, batchB);
  const shape = [...batch, m, n];
  const common = { n, transposeA, transposeB };
  // One matrix b for all of a: their rows are those of one matrix.
  if (sizeOf(batchB) === 1 && !transposeA) {
    const out = Tensor.empty(backend, shape);
    backend.gemm({ ...common, a: a.storage, b: b.storage, c: out.storage, m: sizeOf(batch) * m, k });
    return like ? sumTo(out, like.shape) : out;
  }
  // The gradient of a matrix that all of a share: a sum over all rows.
  if (like && sizeOf(like.shape.slice(0, -2)) === 1 && transposeA && !transposeB && sameShape(batchA, batchB)) {
    const out = Tensor.empty(backend, like.shape);
    backend.gemm({ ...common, a: a.storage, b: b.storage, c: out.storage, m, k: sizeOf(batch) * k });
    return out;
  }
  const out = Tensor.empty(backend, shape);
  const [left, right] = [a, b].map((each) => spread(each, batch));
  const strides: Pick<GemmArguments, 'strideA' | 'strideB'> = { strideA: left.stride, strideB: right.stride };
  const arrays = { a: left.tensor.storage, b: right.tensor.storage, c: out.storage };
  backend.gemm({ ...common, ...arrays, ...strides, m, k, batch: sizeOf(batch) });
  for (const { tensor } of [left, right]) tensor.dispose();
  return like ? sumTo(out, like.shape) : out;
}

/** The matrices of `x` by one stride: as they are, one for all, or copied where some are repeated. */
function spread(x: Tensor, batch: Shape): { tensor: Tensor; stride: number } {
  const [own, matrix] = [x.shape.slice(0, -2), x.shape.slice(-2)];
  const stride = sizeOf(matrix);
  if (sizeOf(own) === 1) return { tensor: x.view(), stride: 0 };
  if (sizeOf(own) === sizeOf(batch)) return { tensor: x.view(), stride };
  const shape = [...batch, ...matrix];
  return { tensor: stridedCopy('matmul', x, shape, broadcastStrides(x.shape, shape)), stride };
}
