import { checkArguments, type OptionKind } from '../../base/options.ts';
import { checkShape } from '../../tensor/shape.ts';
import { checkTensors, type Tensor } from '../../tensor/tensor.ts';
import type { DecodingState } from '../types.ts';

/**
 * Checks what continues `state`, before the state changes: a step of other sizes would be written over other sequences.
 *
 * @param arrays queries, keys and values, or some of them: `[batch, length, heads, d]` each
 * @throws DataError when the state is of another kind, ShapeError when the arrays are not of its sizes.
 */
export function checkStep(
  where: string,
  state: DecodingState,
  kind: OptionKind,
  arrays: { readonly queries?: Tensor; readonly keys: Tensor; readonly values: Tensor },
): void {
  checkTensors(where, arrays);
  checkArguments(where, { state }, { state: kind });
  const { batch, heads, dHead, dValue } = state.sizes;
  const { queries, keys, values } = arrays;
  const length = keys.shape[1];
  if (queries) checkShape(`${where}: queries`, queries.shape, [batch, length, heads, dHead]);
  checkShape(`${where}: keys`, keys.shape, [batch, length, heads, dHead]);
  checkShape(`${where}: values`, values.shape, [batch, length, heads, dValue]);
}
