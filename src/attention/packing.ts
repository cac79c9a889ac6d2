import { type Backend, SEQUENCE_COLUMNS } from '../backend/types.ts';
import { ConfigurationError, DataError } from '../base/errors.ts';
import { checkArguments, option } from '../base/options.ts';
import type { AttentionInputs, Sequences } from '../tensor/ops/attention/shapes.ts';
import { Tensor, tensor } from '../tensor/tensor.ts';
import type { AttendOptions, KeyMask, Segments } from './types.ts';

type Sequence = [batch: number, queryStart: number, queryLength: number, keyStart: number, keyLength: number];

/** @param offset of every sequence; default: its last query is aligned with its last key. */
function makeSequences(
  backend: Backend,
  sequences: readonly Sequence[],
  complete: boolean,
  offset?: number,
): Sequences {
  const rows = sequences.map((sequence) => [...sequence, offset ?? sequence[4] - sequence[2]]);
  return {
    table: tensor(backend, Int32Array.from(rows.flat()), [rows.length, SEQUENCE_COLUMNS]),
    numSequences: rows.length,
    complete,
  };
}

/** Every query of a batch row attends to the keys of that row. */
export function denseSequences(
  backend: Backend,
  batch: number,
  lengthQ: number,
  lengthK: number,
  offset?: number,
): Sequences {
  const sequences = Array.from({ length: batch }, (_, b): Sequence => [b, 0, lengthQ, 0, lengthK]);
  return makeSequences(backend, sequences, true, offset);
}

/**
 * Queries and keys of equal segment ids see each other. A query whose segment has no keys yields zeros.
 *
 * @param querySegments one array of `lengthQ` ids per batch row
 * @param keySegments likewise for the keys. Default: the queries'.
 * @throws ConfigurationError when a segment's positions are not contiguous.
 */
export function segmentSequences(
  backend: Backend,
  querySegments: Segments,
  keySegments: Segments = querySegments,
  offset?: number,
): Sequences {
  let complete = true;
  const sequences = querySegments.flatMap((ids, b) => {
    const queries = pieces(ids, b);
    const keys = keySegments === querySegments ? queries : pieces(keySegments[b], b);
    complete &&= covers(queries, ids.length) && covers(keys, keySegments[b].length);
    complete &&= [...keys.keys()].every((id) => queries.has(id));
    return [...queries].map(
      ([id, [start, length]]): Sequence => [b, start, length, ...(keys.get(id) ?? [0, 0])] as Sequence,
    );
  });
  return makeSequences(backend, sequences, complete, offset);
}

/** Lengths of the queries and keys of each sequence, as {@link segmentSequences} makes them. */
export function segmentLengths(
  querySegments: Segments,
  keySegments: Segments = querySegments,
): [queryLength: number, keyLength: number][] {
  return querySegments.flatMap((ids, b) => {
    const keys = pieces(keySegments[b], b);
    return [...pieces(ids, b)].map(([id, [, length]]): [number, number] => [length, keys.get(id)?.[1] ?? 0]);
  });
}

type Pieces = Map<number, [start: number, length: number]>;

function pieces(ids: ArrayLike<number>, batch: number): Pieces {
  const found: Pieces = new Map();
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] < 0) continue;
    const piece = found.get(ids[i]);
    if (!piece) found.set(ids[i], [i, 1]);
    else if (piece[0] + piece[1] === i) piece[1]++;
    else
      throw new ConfigurationError(
        `segments: id ${ids[i]} of batch row ${batch} appears again at position ${i}; use one id for each contiguous sequence.`,
      );
  }
  return found;
}

function covers(found: Pieces, length: number): boolean {
  let covered = 0;
  for (const [, pieceLength] of found.values()) covered += pieceLength;
  return covered === length;
}

/**
 * The key mask that means the same as `segments`, where no row holds more than one sequence: 0 on padding. Undefined
 * where a row holds more.
 */
export function paddingMask(segments: Segments): Float32Array[] | undefined {
  const isSingle = segments.every((ids) => new Set(Array.from(ids).filter((id) => id >= 0)).size <= 1);
  return isSingle ? segments.map((ids) => Float32Array.from(ids, (id) => (id < 0 ? 0 : 1))) : undefined;
}

/** Segments of a padded batch: row b holds one sequence of `lengths[b]` positions, then padding. */
export function paddedSegments(lengths: readonly number[], maxLength: number): Segments {
  checkArguments(
    'paddedSegments',
    { lengths, maxLength },
    { lengths: option.listOf(option.natural), maxLength: option.upTo(2 ** 24) },
  );
  return lengths.map((length) => new Int32Array(maxLength).fill(-1).fill(0, 0, length));
}

/**
 * Turns an attention's arguments into those of the ops.
 *
 * @throws ConfigurationError naming the option that is not valid or does not fit.
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
  const sequences = segments
    ? segmentSequences(backend, segments, keySegments, offset)
    : denseSequences(backend, batch, lengthQ, lengthK, offset);
  return { queries, keys, values, layout, sequences, keyMask: keyMask && maskTensor(backend, keyMask, batch, lengthK) };
}

/** @throws ConfigurationError where queries and keys have no positions in common, and for rows that are not divided by their sums. */
export function checkNearField(queries: Tensor, keys: Tensor, options: AttendOptions): void {
  if (options.normalised === false) {
    throw new ConfigurationError(
      'A near field needs rows that are divided by their sums: leave out normalised, or use nearField: null.',
    );
  }
  if (options.causal) return;
  const { lengthQ, lengthK } = attendedSizes(queries, keys, options);
  const { segments, keySegments } = options;
  const lengths = segments ? segmentLengths(segments, keySegments) : [[lengthQ, lengthK]];
  if (lengths.every(([q, k]) => q === k || q === 0 || k === 0)) return;
  throw new ConfigurationError(
    'A near field needs queries and keys at the same positions; for attention to another sequence use nearField: null.',
  );
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

/** @throws DataError unless `keyMask` holds, for each batch row, `length` numbers that are 0 or 1. */
export function checkKeyMask(keyMask: readonly ArrayLike<number>[], batch: number, length: number): void {
  checkRows('keyMask', keyMask, batch, length);
  for (const [row, mask] of keyMask.entries()) {
    const i = Array.prototype.findIndex.call(mask, (value: unknown) => value !== 0 && value !== 1);
    if (i < 0) continue;
    throw new DataError(
      `attention: keyMask holds ${mask[i]} at position ${i} of batch row ${row}; give 1 for a valid key and 0 for a masked one.`,
    );
  }
}

function checkRows(name: string, rows: readonly ArrayLike<number>[] | undefined, batch: number, length: number): void {
  if (!rows) return;
  if (rows.length !== batch || rows.some((row) => row.length !== length)) {
    throw new ConfigurationError(`attention: ${name} needs ${batch} arrays of ${length} numbers, one per batch row.`);
  }
}
