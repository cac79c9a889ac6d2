import { checkShape } from '../shape.ts';
import { record } from '../tape.ts';
import { Tensor } from '../tensor.ts';

/**
 * Puts one vector before every sequence.
 *
 * @param first `[1, width]`
 * @param x `[batch, length, width]`
 * @returns `[batch, 1 + length, width]`
 */
export function prepend(first: Tensor, x: Tensor): Tensor {
  const { backend } = x;
  const [batch, length, width] = x.shape as [number, number, number];
  checkShape('prepend: first', first.shape, [1, width]);
  const long = (1 + length) * width;
  const out = Tensor.empty(backend, [batch, 1 + length, width]);
  for (let row = 0; row < batch; row++) {
    backend.copy(first.storage, backend.slice(out.storage, row * long, width));
    backend.copy(
      backend.slice(x.storage, row * length * width, length * width),
      backend.slice(out.storage, row * long + width, length * width),
    );
  }
  return record([first, x], out, (gradient) => {
    const dFirst = Tensor.empty(backend, first.shape);
    const dX = Tensor.empty(backend, x.shape);
    for (let row = 0; row < batch; row++) {
      const firstRow = backend.slice(gradient.storage, row * long, width);
      backend.columnSum({ x: firstRow, out: dFirst.storage, rows: 1, columns: width, accumulate: row > 0 });
      backend.copy(
        backend.slice(gradient.storage, row * long + width, length * width),
        backend.slice(dX.storage, row * length * width, length * width),
      );
    }
    return [dFirst, dX];
  });
}
