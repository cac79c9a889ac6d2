import { DataError, ShapeError } from '../../base/errors.ts';
import { formatShape, type Shape } from '../shape.ts';
import { record } from '../tape.ts';
import { checkTensors, Tensor } from '../tensor.ts';

/**
 * Rows of a table.
 *
 * @param table `[numRows, width]`
 * @param ids int32 `[…]`, each in `[0, numRows)`
 * @returns `[…, width]`
 * @throws DataError that names an id beyond the table and its position.
 */
export function embedding(table: Tensor, ids: Tensor): Tensor {
  checkTensors('embedding', { table, ids });
  const { backend } = table;
  if (table.shape.length !== 2)
    throw new ShapeError(`embedding: the table has shape ${formatShape(table.shape)}; give [rows, width].`);
  if (ids.type !== 'int32')
    throw new DataError(
      "embedding: the ids hold float32; make them of an Int32Array, or with tensor(backend, ids, shape, 'int32').",
    );
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
