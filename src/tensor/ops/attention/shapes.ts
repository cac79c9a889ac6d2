import type { AttentionGradients, AttentionLayout, AttentionSizes } from '../../../backend/types.ts';
import { ShapeError } from '../../../base/errors.ts';
import { checkShape } from '../../shape.ts';
import { record } from '../../tape.ts';
import { checkTensors, Tensor } from '../../tensor.ts';

/**
 * Which contiguous pieces of the queries attend to which of the keys: int32 `[numSequences, 6]` rows
 * `batch, queryStart, queryLength, keyStart, keyLength, offset`. Built by `attention/sequences.ts`.
 */
export interface Sequences {
  readonly table: Tensor;
  readonly numSequences: number;
  /** Every query and every key belongs to a sequence; otherwise results are zero outside. */
  readonly complete: boolean;
}

/** What the attention ops share. */
export interface AttentionInputs {
  /** `[batch, heads, lengthQ, dHead]`, or `[batch, lengthQ, heads, dHead]` with layout `blhd`. */
  readonly queries: Tensor;
  /** `[batch, heads, lengthK, dHead]` likewise. */
  readonly keys: Tensor;
  /** `[batch, heads, lengthK, dValue]` likewise. */
  readonly values: Tensor;
  readonly layout: AttentionLayout;
  readonly sequences: Sequences;
  /** `[batch, lengthK]`, 1 = valid, 0 = masked. */
  readonly keyMask?: Tensor | undefined;
}

/** Checks the shapes and reads the sizes off them. @throws ShapeError naming the tensor that does not fit. */
export function attentionSizes({
  queries,
  keys,
  values,
  layout,
  sequences,
  keyMask,
}: AttentionInputs): AttentionSizes & {
  batch: number;
} {
  checkTensors('attention', { queries, keys, values, ...(keyMask && { keyMask }) });
  for (const [name, tensor] of Object.entries({ queries, keys, values })) {
    if (tensor.shape.length !== 4) throw new ShapeError(`attention: ${name} needs 4 axes; got ${tensor.shape.length}.`);
  }
  const [lengthAxis, headsAxis] = layout === 'bhld' ? [2, 1] : [1, 2];
  const batch = queries.shape[0];
  const heads = queries.shape[headsAxis];
  const lengthQ = queries.shape[lengthAxis];
  const lengthK = keys.shape[lengthAxis];
  const dHead = queries.shape[3];
  const dValue = values.shape[3];
  const shape = (length: number, d: number) => attentionShape(layout, batch, heads, length, d);
  checkShape('attention: keys', keys.shape, shape(lengthK, dHead));
  checkShape('attention: values', values.shape, shape(lengthK, dValue));
  if (keyMask) checkShape('attention: keyMask', keyMask.shape, [batch, lengthK]);
  return { batch, heads, lengthQ, lengthK, dHead, dValue, layout, numSequences: sequences.numSequences };
}

export function attentionShape(
  layout: AttentionLayout,
  batch: number,
  heads: number,
  length: number,
  d: number,
): [number, number, number, number] {
  return layout === 'bhld' ? [batch, heads, length, d] : [batch, length, heads, d];
}

/** Memory for a result: zeroed where the sequences leave gaps. */
export function resultFor(sequences: Sequences, shapedLike: Tensor, shape = shapedLike.shape): Tensor {
  return sequences.complete ? Tensor.empty(shapedLike.backend, shape) : Tensor.zeros(shapedLike.backend, shape);
}

/** The storages of `inputs`, as the kernels take them. */
export function attentionStorages({ queries, keys, values, keyMask, sequences }: AttentionInputs) {
  return {
    q: queries.storage,
    k: keys.storage,
    v: values.storage,
    keyMask: keyMask?.storage,
    sequences: sequences.table.storage,
  };
}

/** Records an attention on the tape; `backward` fills the gradients of queries, keys and values. */
export function recordAttention(
  { queries, keys, values, sequences }: AttentionInputs,
  out: Tensor,
  backward: (gradients: AttentionGradients) => void,
  saved: readonly Tensor[],
): Tensor {
  const inputs = [queries, keys, values];
  const adjoint = (gradient: Tensor) => {
    const gradients = inputs.map((input) => resultFor(sequences, input));
    const [dQ, dK, dV] = gradients.map(({ storage }) => storage);
    backward({ out: out.storage, dOut: gradient.storage, dQ, dK, dV });
    return gradients;
  };
  return record(inputs, out, adjoint, saved);
}
