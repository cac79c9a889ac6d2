import type { Backend } from '../backend/types.ts';
import { ConfigurationError, DataError } from '../base/errors.ts';
import type { AttentionInputs } from '../tensor/ops/attention-shapes.ts';
import { Tensor, tensor } from '../tensor/tensor.ts';
import { denseRuns, segmentRuns } from './runs.ts';
import type { AttendOptions, KeyMask } from './types.ts';

/**
 * Turns an attention's arguments into those of the ops.
 *
 * @throws one sentence naming the option that is not valid or does not fit.
 */
export function attentionInputs(
  queries: Tensor,
  keys: Tensor,
  values: Tensor,
  options: AttendOptions,
): AttentionInputs {
  const { layout = 'bhld', segments, keySegments, keyMask } = options;
  const { backend } = queries;
  const { batch, lengthQ, lengthK } = attendedSizes(queries, keys, options);
  const offset = offsetOf(options);
  checkRows('segments', segments, batch, lengthQ);
  checkRows('keySegments', keySegments ?? segments, batch, lengthK);
  if (keySegments && !segments) {
    throw new ConfigurationError('attention: keySegments without segments; give the segments of the queries too.');
  }
  const runs = segments
    ? segmentRuns(backend, segments, keySegments, offset)
    : denseRuns(backend, batch, lengthQ, lengthK, offset);
  return { queries, keys, values, layout, runs, keyMask: keyMask && maskTensor(backend, keyMask, batch, lengthK) };
}

/** Sizes that the options are checked against. */
export function attendedSizes(queries: Tensor, keys: Tensor, { layout = 'bhld' }: AttendOptions) {
  const lengthAxis = layout === 'bhld' ? 2 : 1;
  return { batch: queries.shape[0], lengthQ: queries.shape[lengthAxis], lengthK: keys.shape[lengthAxis] };
}

function offsetOf({ offset, causal }: AttendOptions): number | undefined {
  if (offset === undefined) return undefined;
  if (!causal)
    throw new ConfigurationError(
      'attention: offset means nothing without causal; add causal: true or leave offset out.',
    );
  if (!Number.isInteger(offset) || Math.abs(offset) > maxOffset) {
    throw new ConfigurationError(`attention: offset is ${offset}; give a whole number of at most 2^31 − 1 in size.`);
  }
  return offset;
}

const maxOffset = 2 ** 31 - 1;

function maskTensor(backend: Backend, keyMask: KeyMask, batch: number, lengthK: number): Tensor {
  if (keyMask instanceof Tensor) {
    if (keyMask.type !== 'float32') {
      throw new ConfigurationError(`attention: keyMask holds ${keyMask.type}; make it of a Float32Array.`);
    }
    if (keyMask.maskKind) return keyMask;
    throw new DataError(
      'attention: the keyMask tensor was not made of ones and zeros alone; make it by tensor() of 1 (valid) and 0 (masked), or give arrays.',
    );
  }
  checkKeyMask(keyMask, batch, lengthK);
  return tensor(backend, Float32Array.from(keyMask.flatMap((row) => Array.from(row))), [batch, lengthK]);
}

/** @throws one sentence unless `keyMask` holds, for each batch row, `length` numbers that are 0 or 1. */
export function checkKeyMask(keyMask: readonly ArrayLike<number>[], batch: number, length: number): void {
  checkRows('keyMask', keyMask, batch, length);
  for (const [row, mask] of keyMask.entries()) {
    const i = Array.prototype.findIndex.call(mask, (value: unknown) => value !== 0 && value !== 1);
    if (i < 0) continue;
    throw new DataError(
      `attention: keyMask holds ${mask[i]} at place ${i} of batch row ${row}; give 1 for a valid key and 0 for a masked one.`,
    );
  }
}

function checkRows(name: string, rows: readonly ArrayLike<number>[] | undefined, batch: number, length: number): void {
  if (!rows) return;
  if (rows.length !== batch || rows.some((row) => row.length !== length)) {
    throw new ConfigurationError(`attention: ${name} needs ${batch} arrays of ${length} numbers, one per batch row.`);
  }
}
