/**
 * Checks of arrays: whose they are, how long they are, and where they hold indices, what they hold. Indices that come
 * as data are token ids, targets, sequences, sorted orders and rotations. They are read and compared with the arrays that
 * they index: O(ids), far less than what the call then does.
 */
import { DataError, ShapeError } from '../../base/errors.ts';
import { describe } from '../../base/options.ts';
import { type AttentionArrays, type FarFieldFeatures, type LshArrays, SEQUENCE_COLUMNS } from '../kernels.ts';
import { blockSize } from '../projection-sizes.ts';
import type { DataType, FloatArray, Storage } from '../storage.ts';
import type { Backend } from '../types.ts';

/** A backend that trusts its callers, and what a door needs of it. */
export interface UncheckedBackend extends Backend {
  /** @throws LifetimeError if the backend is closed, or `storage` is another's or released. */
  own(storage: Storage): void;
  /** Whether {@link UncheckedBackend.own} would pass: the question of every array of every call, so it costs little. */
  owns(storage: unknown): storage is Storage;
  /** The first `count` numbers of storage of its own, now. */
  peek(storage: Storage, count: number): Int32Array | FloatArray;
}

/** Batch rows that the sequences reach, of queries and of keys. */
interface Reach {
  readonly batchQ: number;
  readonly batchK: number;
}

/** Arguments with which an order was sorted, as far as they say which numbers it holds. */
interface Sorting {
  readonly chunks: Storage;
  readonly sequences: Storage;
  readonly sizes: readonly number[];
  /** How many calls had overwritten integers by then. */
  readonly writes: number;
}

type LshIndices = Omit<LshArrays, 'v' | 'dValue'>;

interface StridedArguments {
  readonly layout: Storage;
  readonly numAxes: number;
  readonly count: number;
}

/** The kernels give unseen chunks numbers far below the others, and compare differences of 32 bits. */
const MAX_CHUNK = 2 ** 30;

export abstract class ArrayChecks {
  protected readonly inner: UncheckedBackend;
  /** Calls so far that overwrote integers. */
  protected integerWrites = 0;
  readonly #sorted = new WeakMap<Storage, Sorting>();

  constructor(inner: UncheckedBackend) {
    this.inner = inner;
  }

  protected storage(where: string, name: string, storage: unknown): asserts storage is Storage {
    const isStorage = typeof storage === 'object' && storage !== null && 'type' in storage && 'length' in storage;
    if (isStorage && !ArrayBuffer.isView(storage)) return;
    throw new DataError(
      `${where}: ${name} is ${describe(storage)}; give a storage of this backend, such as upload() makes.`,
    );
  }

  protected any(where: string, name: string, storage: Storage): void {
    if (this.inner.owns(storage)) return;
    this.storage(where, name, storage);
    this.inner.own(storage);
  }

  protected array(where: string, name: string, storage: Storage, type: DataType, count: number): void {
    this.any(where, name, storage);
    if (storage.type === type && storage.length >= count) return;
    throw new ShapeError(
      `${where}: ${name} has ${storage.length} elements of ${storage.type} where ${count} of ${type} are needed.`,
    );
  }

  protected length(where: string, name: string, storage: Storage, type: DataType): number {
    this.array(where, name, storage, type, 0);
    return storage.length;
  }

  protected optional(where: string, name: string, storage: Storage | undefined, type: DataType, count: number): void {
    if (storage !== undefined) this.array(where, name, storage, type, count);
  }

  /** @throws DataError naming the first of `count` indices that is not below `limit`, and its place. */
  protected indices(
    where: string,
    name: string,
    storage: Storage,
    count: number,
    limit: number,
    negativesPass: boolean,
  ): void {
    const indices = this.inner.peek(storage, count);
    const least = negativesPass ? Number.NEGATIVE_INFINITY : 0;
    for (let i = 0; i < count; i++) {
      const index = indices[i];
      if (index < limit && index >= least) continue;
      const [of, advice] = negativesPass
        ? ['classes', `${name} are whole numbers below ${limit}, and negative where none counts`]
        : ['rows of the table', `${name} are whole numbers from 0 to ${limit - 1}`];
      throw new DataError(
        `${where}: ${name.slice(0, -1)} ${index} at position ${i} is not one of the ${limit} ${of}: ${advice}.`,
      );
    }
  }

  #table(where: string, sequences: Storage, numSequences: number): Int32Array | FloatArray {
    this.array(where, 'sequences', sequences, 'int32', numSequences * SEQUENCE_COLUMNS);
    return this.inner.peek(sequences, numSequences * SEQUENCE_COLUMNS);
  }

  /** Checks that sequences are within the queries and keys of a batch row, and gives the batch rows that they reach. */
  protected sequences(
    where: string,
    args: Pick<AttentionArrays, 'sequences' | 'numSequences' | 'lengthQ' | 'lengthK'>,
  ): Reach {
    const { numSequences, lengthQ, lengthK } = args;
    const sequences = this.#table(where, args.sequences, numSequences);
    let batchQ = 0;
    let batchK = 0;
    for (let at = 0; at < numSequences * SEQUENCE_COLUMNS; at += SEQUENCE_COLUMNS) {
      const isInside =
        sequences[at] >= 0 &&
        isPiece(sequences[at + 1], sequences[at + 2], lengthQ) &&
        isPiece(sequences[at + 3], sequences[at + 4], lengthK);
      if (!isInside) throw badSequence(where, sequences, at, lengthQ, lengthK);
      if (sequences[at + 2] > 0) batchQ = Math.max(batchQ, sequences[at] + 1);
      if (sequences[at + 4] > 0) batchK = Math.max(batchK, sequences[at] + 1);
    }
    return { batchQ, batchK };
  }

  /** Sequences of queries that serve as keys, within arrays of `batch` rows. */
  protected selfSequences(
    where: string,
    args: Pick<LshArrays, 'sequences' | 'numSequences' | 'batch' | 'length'>,
  ): void {
    const { numSequences, batch, length } = args;
    const sequences = this.#table(where, args.sequences, numSequences);
    for (let at = 0; at < numSequences * SEQUENCE_COLUMNS; at += SEQUENCE_COLUMNS) {
      const isInside =
        sequences[at] >= 0 && sequences[at] < batch && isPiece(sequences[at + 1], sequences[at + 2], length);
      if (!isInside) throw badSequence(where, sequences, at, length, length);
    }
  }

  /** Strides of two arrays: see {@link ArrayChecks.spans}. */
  protected twoStrides(where: string, args: StridedArguments): { span1: number; span2: number } {
    const [span1, span2] = this.spans(where, args, 2);
    return { span1, span2 };
  }

  protected threeStrides(where: string, args: StridedArguments): { span1: number; span2: number; span3: number } {
    const [span1, span2, span3] = this.spans(where, args, 3);
    return { span1, span2, span3 };
  }

  /** Strides of what is read and of what is written, where no two elements may meet. */
  protected copyStrides(where: string, args: StridedArguments): { span1: number; span2: number } {
    const spans = this.twoStrides(where, args);
    const axes = rowsOf(this.inner.peek(args.layout, args.numAxes * 3), 3).filter(([length]) => length > 1);
    // Each stride must reach beyond all shorter ones.
    let reach = 0;
    for (const [length, , stride] of axes.sort((a, b) => a[2] - b[2])) {
      if (args.count > 0 && stride <= reach) {
        throw new DataError(`${where}: strides of out make axes overlap; give every element a place of its own.`);
      }
      reach += (length - 1) * stride;
    }
    return spans;
  }

  /** Checks the table of lengths and strides of `numArrays` arrays, and gives the elements that each must have. */
  protected spans(where: string, { layout, numAxes, count }: StridedArguments, numArrays: number): number[] {
    const width = 1 + numArrays;
    this.array(where, 'layout', layout, 'int32', numAxes * width);
    const rows = rowsOf(this.inner.peek(layout, numAxes * width), width);
    const bad = rows.find((row) => row.some((value) => value < 0));
    if (bad)
      throw new DataError(`${where}: layout has the row [${bad.join(', ')}]; give lengths and strides of at least 0.`);
    const product = rows.reduce((total, [length]) => total * length, 1);
    if (product !== count) {
      throw new ShapeError(`${where}: count is ${count} where the lengths of layout make ${product}.`);
    }
    const last = (array: number) => rows.reduce((at, row) => at + (row[0] - 1) * row[array], 0);
    return Array.from({ length: numArrays }, (_, i) => (count === 0 ? 0 : last(1 + i) + 1));
  }

  /** Givens rotations hold the rows that they turn. */
  protected projection(where: string, args: FarFieldFeatures & { readonly dHead: number }): void {
    const { form, factors, directions, dHead } = args;
    if (form !== 'givens' || factors === 0) return;
    const numRotations = Math.ceil(directions / blockSize(form, dHead)) * factors;
    const rotations = this.inner.peek(args.projection, 4 * numRotations);
    for (let at = 0; at < 4 * numRotations; at += 4) {
      const [i, j] = [rotations[at], rotations[at + 1]];
      const areRows = Number.isInteger(i) && Number.isInteger(j) && i >= 0 && j >= 0 && i < dHead && j < dHead;
      if (areRows) continue;
      throw new DataError(
        `${where}: rotation ${at / 4} of the projection turns rows ${i} and ${j}, which are not both of the ${dHead} of a head.`,
      );
    }
  }

  /** Remembers that `order` and `chunks` are what lshSort gives for these sequences. */
  protected rememberOrder(args: LshIndices): void {
    const { order, chunks, sequences } = args;
    this.#sorted.set(order, { chunks, sequences, sizes: lshSizes(args), writes: this.integerWrites });
  }

  /** @throws DataError unless `order` and `chunks` are what lshSort gives for these sequences: known, or else read. */
  protected order(where: string, args: LshIndices): void {
    const { order, chunks, sequences, numSequences, batch, heads, length, chunkLength, numHashes } = args;
    const known = this.#sorted.get(order);
    const sizes = lshSizes(args);
    const isKnown = known?.writes === this.integerWrites && known.chunks === chunks && known.sequences === sequences;
    if (isKnown && known.sizes.every((value, i) => value === sizes[i])) return;
    const count = numHashes * batch * heads * length;
    const orders = this.inner.peek(order, count);
    const ids = this.inner.peek(chunks, count);
    const table = this.inner.peek(sequences, numSequences * SEQUENCE_COLUMNS);
    for (let unit = 0; unit < numSequences * heads * numHashes; unit++) {
      const sequence = Math.floor(unit / (heads * numHashes)) * SEQUENCE_COLUMNS;
      const head = unit % heads;
      const hash = Math.floor(unit / heads) % numHashes;
      const start = ((hash * batch + table[sequence]) * heads + head) * length + table[sequence + 1];
      const [own, chunk] = [orders, ids].map((array) => array.subarray(start, start + table[sequence + 2]));
      if (!isSorted(own, chunk, chunkLength)) {
        throw new DataError(`${where}: order and chunks are not those of lshSort for these sequences: sort first.`);
      }
    }
  }
}

function isPiece(start: number, count: number, length: number): boolean {
  return start >= 0 && count >= 0 && start + count <= length;
}

function badSequence(
  where: string,
  sequences: Int32Array | FloatArray,
  at: number,
  lengthQ: number,
  lengthK: number,
): DataError {
  const [sequence, numbers] = [at / SEQUENCE_COLUMNS, sequences.subarray(at, at + SEQUENCE_COLUMNS).join(', ')];
  return new DataError(
    `${where}: sequence ${sequence} is [${numbers}], which is not within ${lengthQ} queries and ${lengthK} keys.`,
  );
}

function lshSizes(args: LshIndices): number[] {
  return [args.numSequences, args.batch, args.heads, args.length, args.chunkLength, args.numHashes];
}

/** Whether `order` is a permutation in which every chunk is one stretch of at most `chunkLength` positions. */
function isSorted(order: Int32Array | FloatArray, chunks: Int32Array | FloatArray, chunkLength: number): boolean {
  const seen = new Set<number>();
  const closed = new Set<number>();
  let stretch = 0;
  for (let slot = 0; slot < order.length; slot++) {
    const position = order[slot];
    if (!(position >= 0 && position < order.length) || seen.has(position)) return false;
    seen.add(position);
    const chunk = chunks[position];
    const previous = slot === 0 ? undefined : chunks[order[slot - 1]];
    stretch = chunk === previous ? stretch + 1 : 1;
    if (chunk !== previous && previous !== undefined) closed.add(previous);
    if (stretch > chunkLength || closed.has(chunk) || chunk < 0 || chunk > MAX_CHUNK) return false;
  }
  return true;
}

/** A table as its rows. */
function rowsOf(table: Int32Array | FloatArray, width: number): number[][] {
  return Array.from({ length: table.length / width }, (_, row) =>
    Array.from(table.subarray(row * width, (row + 1) * width)),
  );
}
