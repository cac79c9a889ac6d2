import { ShapeError } from '../../../base/errors.ts';
import { checkShape } from '../../shape.ts';
import { record } from '../../tape.ts';
import { Tensor } from '../../tensor.ts';
import { type AttentionInputs, attentionShape, attentionSizes, resultFor } from './shapes.ts';

/** Queries, which serve as keys too, and values. */
type LshInputs = Omit<AttentionInputs, 'keys'>;

export interface LshOptions {
  /** `[numHashes, numRotations, dHead]`: in each hash, a position's bucket is the argmax of `[R q; −R q]`. */
  readonly rotations: Tensor;
  /** Most positions of a chunk. */
  readonly chunkLength: number;
  /**
   * Even, at most 2·numRotations. Causal: the number of buckets. Bidirectional: at most this number; see
   * `lshAttention`.
   */
  readonly numBuckets: number;
  /** Query i sees only keys j < i. Default false. */
  readonly causal?: boolean | undefined;
  /** Multiplies q·k̂. Default 1, as in the authors' code, whose keys have the length √dHead before they divide by it. */
  readonly scale?: number | undefined;
}

/**
 * LSH attention (Reformer): positions are sorted by hash bucket, several times over. Each position attends to its own
 * chunk of the order and to the chunk before; keys are the queries at unit length. What several hashes show counts
 * once, so the result is one softmax over all keys that any hash shows. Gradients hold the hashes fixed.
 * O(numHashes·length·(chunkLength + numBuckets)·d) time, O(numHashes·length) extra memory.
 *
 * @returns shaped like the queries, with dValue for dHead; a query that sees no other position gets its own value, a
 *   masked one zeros
 */
export function lshAttention(inputs: LshInputs, options: LshOptions): Tensor {
  const { queries, values, layout, sequences, keyMask } = inputs;
  const { rotations, chunkLength, numBuckets, causal = false, scale = 1 } = options;
  const { backend } = queries;
  const { batch, heads, lengthQ: length, dHead, dValue, numSequences } = attentionSizes({ ...inputs, keys: queries });
  const [numHashes, numRotations] = rotations.shape;
  checkShape('lshAttention: rotations', rotations.shape, [numHashes, numRotations, dHead]);
  if (numBuckets % 2 !== 0 || numBuckets < 2 || numBuckets > 2 * numRotations) {
    throw new ShapeError(
      `lshAttention: ${numRotations} rotations make an even number of buckets up to ${2 * numRotations}, not ${numBuckets}.`,
    );
  }
  const [order, chunks] = [1, 2].map(() => Tensor.empty(backend, [numHashes, batch, heads, length], 'int32'));
  const shared = {
    ...{ q: queries.storage, v: values.storage, keyMask: keyMask?.storage, sequences: sequences.table.storage },
    ...{ order: order.storage, chunks: chunks.storage },
    ...{ numSequences, batch, heads, length, dHead, dValue, layout, causal, chunkLength, numHashes, scale },
  };
  backend.lshSort({ ...shared, rotations: rotations.storage, numRotations, numBuckets });
  const out = resultFor(sequences, queries, attentionShape(layout, batch, heads, length, dValue));
  const [references, sums] = [1, 2].map(() => Tensor.empty(backend, [batch, heads, length]));
  const results = { out: out.storage, references: references.storage, sums: sums.storage };
  backend.lshAttention({ ...shared, ...results });
  const adjoint = (gradient: Tensor) => {
    const [dQ, dV] = [queries, values].map((input) => resultFor(sequences, input));
    const gradients = { dOut: gradient.storage, dQ: dQ.storage, dV: dV.storage };
    backend.lshAttentionBackward({ ...shared, ...results, ...gradients });
    return [dQ, dV];
  };
  return record([queries, values], out, adjoint, [order, chunks, references, sums]);
}
