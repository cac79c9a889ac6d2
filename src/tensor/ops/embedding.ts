import type { Shape } from '../shape.ts';
import { record } from '../tape.ts';
import { Tensor } from '../tensor.ts';

/**
 * Rows of a table.
 *
 * @param table `[numRows, width]`
 * @param ids int32 `[…]`, each in `[0, numRows)`: the caller checks
 * @returns `[…, width]`
 */
export function embedding(table: Tensor, ids: Tensor): Tensor {
  const { backend } = table;
  const width = table.shape[1];
  const out = Tensor.empty(backend, [...ids.shape, width] as Shape);
  backend.embedding({ table: table.storage, ids: ids.storage, out: out.storage, count: ids.size, width });
  return record([table], out, (gradient) => {
    const dTable = Tensor.zeros(backend, table.shape);
    backend.embeddingBackward({
      ids: ids.storage,
      dOut: gradient.storage,
      dTable: dTable.storage,
      count: ids.size,
      width,
    });
    return [dTable];
  });
}
