import type { AttentionInputs } from '../tensor/ops/attention-shapes.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { denseRuns, segmentRuns } from './runs.ts';
import type { AttendOptions } from './types.ts';

/** Turns an attention's arguments into those of the ops. */
export function attentionInputs(
  queries: Tensor,
  keys: Tensor,
  values: Tensor,
  options: AttendOptions,
): AttentionInputs {
  const { layout = 'bhld', segments, keySegments, keyMask, offset } = options;
  const { backend } = queries;
  const lengthAxis = layout === 'bhld' ? 2 : 1;
  const [batch, lengthQ, lengthK] = [queries.shape[0], queries.shape[lengthAxis], keys.shape[lengthAxis]];
  checkSegments('segments', segments, batch, lengthQ);
  checkSegments('keySegments', keySegments ?? segments, batch, lengthK);
  const runs = segments
    ? segmentRuns(backend, segments, keySegments, offset)
    : denseRuns(backend, batch, lengthQ, lengthK, offset);
  return { queries, keys, values, layout, runs, keyMask };
}

function checkSegments(name: string, segments: AttendOptions['segments'], batch: number, length: number): void {
  if (!segments) return;
  if (segments.length !== batch || segments.some((ids) => ids.length !== length)) {
    throw new Error(`attention: ${name} needs ${batch} arrays of ${length} ids, one per batch row.`);
  }
}
