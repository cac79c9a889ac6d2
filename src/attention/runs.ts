import { type Backend, RUN_COLUMNS } from '../backend/types.ts';
import { ConfigurationError } from '../base/errors.ts';
import type { Runs } from '../tensor/ops/attention-shapes.ts';
import { tensor } from '../tensor/tensor.ts';

/**
 * Ids of packed sequences, one array per batch row: neighbouring positions with equal ids form one sequence that attends
 * only within itself; a negative id is padding.
 */
export type Segments = readonly ArrayLike<number>[];

type Run = [batch: number, queryStart: number, queryLength: number, keyStart: number, keyLength: number];

/** @param offset of every run; default: its last query is aligned with its last key. */
function makeRuns(backend: Backend, runs: readonly Run[], complete: boolean, offset?: number): Runs {
  const rows = runs.map((run) => [...run, offset ?? run[4] - run[2]]);
  return {
    table: tensor(backend, Int32Array.from(rows.flat()), [rows.length, RUN_COLUMNS]),
    numRuns: rows.length,
    complete,
  };
}

/** Every query of a batch row attends to the keys of that row. */
export function denseRuns(backend: Backend, batch: number, lengthQ: number, lengthK: number, offset?: number): Runs {
  const runs = Array.from({ length: batch }, (_, b): Run => [b, 0, lengthQ, 0, lengthK]);
  return makeRuns(backend, runs, true, offset);
}

/**
 * Queries and keys of equal segment ids see each other. A query whose segment has no keys yields zeros.
 *
 * @param querySegments one array of `lengthQ` ids per batch row
 * @param keySegments likewise for the keys. Default: the queries'.
 * @throws when a segment's positions are not contiguous.
 */
export function segmentRuns(
  backend: Backend,
  querySegments: Segments,
  keySegments: Segments = querySegments,
  offset?: number,
): Runs {
  let complete = true;
  const runs = querySegments.flatMap((ids, b) => {
    const queries = pieces(ids, b);
    const keys = keySegments === querySegments ? queries : pieces(keySegments[b], b);
    complete &&= covers(queries, ids.length) && covers(keys, keySegments[b].length);
    complete &&= [...keys.keys()].every((id) => queries.has(id));
    return [...queries].map(([id, [start, length]]): Run => [b, start, length, ...(keys.get(id) ?? [0, 0])] as Run);
  });
  return makeRuns(backend, runs, complete, offset);
}

/** Lengths of the queries and keys of each run, as {@link segmentRuns} makes them. */
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
 * where one does.
 */
export function paddingMask(segments: Segments): Float32Array[] | undefined {
  const isSingle = segments.every((ids) => new Set(Array.from(ids).filter((id) => id >= 0)).size <= 1);
  return isSingle ? segments.map((ids) => Float32Array.from(ids, (id) => (id < 0 ? 0 : 1))) : undefined;
}

/** Segments of a padded batch: row b holds one sequence of `lengths[b]` positions, then padding. */
export function paddedSegments(lengths: readonly number[], maxLength: number): Segments {
  return lengths.map((length) => Int32Array.from({ length: maxLength }, (_, i) => (i < length ? 0 : -1)));
}
