import { tokenSplitKind } from '../tokens/token-store.ts';
/**
 * Whole documents, such as proteins, as rows of a batch: packed together, each seeing only itself, or one to a row with
 * padding behind. For text read as one stream see windows.ts.
 */

import { DataError } from '../../base/errors.ts';
import { checkArguments, checkOptions, option } from '../../base/options.ts';
import { permute, Random, streams } from '../../base/random.ts';
import type { TokenSplit } from '../tokens/token-store.ts';
import { DocumentRows, type DocumentRowsOptions, type Piece } from './document-rows.ts';
import { packSequences } from './packing.ts';
import { checkBatchSize, type EvaluationWindows, evaluationBatches, type TrainingWindows } from './windows.ts';

export interface SequenceOptions extends DocumentRowsOptions {
  /** Rows of a batch. */
  readonly batchSize: number;
  /**
   * `pack`: as many whole documents to a row as fit; a document is cut only where it is longer than a row. `pad`: one
   * document to a row; training crops a longer one at random, anew in every epoch. With `classes` it must be `pad`, and
   * of a longer document the start is taken.
   */
  readonly packing: 'pack' | 'pad';
}

interface Filled {
  /** Share of positions that hold tokens. */
  readonly fill: number;
}

/**
 * Rows for training, in random order; `windowsPerEpoch` rows hold every document once. Packing puts the same documents
 * together in every epoch, which changes nothing for them, as they do not see each other.
 *
 * @throws DataError if no document has a position, classes do not fit, or a size is not a positive integer
 */
export function trainingSequences(
  tokens: TokenSplit,
  options: SequenceOptions & { readonly seed: number },
): TrainingWindows & Filled {
  checkArguments(
    'trainingSequences',
    { tokens, options },
    {
      tokens: tokenSplitKind,
      options: option.object,
    },
  );
  const { batchSize, length, packing, classes, seed } = options;
  checkSequenceOptions(options);
  const documents = new DocumentRows(tokens, options);
  const rows = packing === 'pack' ? packedRows(documents, length) : rowPerDocument(documents, length);
  if (rows.count === 0) throw new DataError('There is no sequence to train on; give documents of at least two tokens.');
  const order = new Random(seed, streams.dataOrder);
  const crop = (piece: Piece, epoch: Random): Piece => {
    const spare = documents.lengthOf(piece.document) - length;
    if (packing === 'pack' || classes || spare <= 0) return piece;
    return { ...piece, from: epoch.fork(piece.document).integer(spare + 1) };
  };
  return {
    windowsPerEpoch: rows.count,
    fill: rows.numPositions / (rows.count * length),
    batchAt: async (step) => {
      if (!Number.isInteger(step) || step < 0) throw new DataError(`Step ${step} is not a non-negative integer.`);
      const pieces = Array.from({ length: batchSize }, (_, i) => {
        const index = step * batchSize + i;
        const epoch = order.fork(Math.floor(index / rows.count));
        const row = permute(index % rows.count, rows.count, epoch.seed);
        return rows.at(row).map((piece) => crop(piece, epoch));
      });
      return documents.batch(pieces);
    },
  };
}

/**
 * Rows in a fixed order that hold each position of every document exactly once. Documents longer than a row are cut, and
 * with `pad` each part has a row of its own. With classes a document counts once, by its start.
 *
 * @throws DataError if classes do not fit, or a size is not a positive integer
 */
export function evaluationSequences(tokens: TokenSplit, options: SequenceOptions): EvaluationWindows & Filled {
  checkArguments(
    'evaluationSequences',
    { tokens, options },
    {
      tokens: tokenSplitKind,
      options: option.object,
    },
  );
  const { batchSize, length, packing, classes } = options;
  checkSequenceOptions(options);
  const documents = new DocumentRows(tokens, options);
  const rowsOf = packing === 'pack' ? packedRows : classes ? rowPerDocument : rowPerPiece;
  const rows = rowsOf(documents, length);
  const batches = evaluationBatches(rows.count, batchSize, (first, count) =>
    documents.batch(Array.from({ length: count }, (_, i) => rows.at(first + i))),
  );
  return {
    ...batches,
    numPredicted: classes ? rows.count : rows.numPositions,
    fill: rows.count === 0 ? 1 : rows.numPositions / (rows.count * length),
  };
}

interface Rows {
  readonly count: number;
  /** Positions that hold tokens, of all rows together. */
  readonly numPositions: number;
  at(row: number): Piece[];
}

/** Every document by its first `length` positions. */
function rowPerDocument(documents: DocumentRows, length: number): Rows {
  const pieces: Piece[] = [];
  for (let document = 0; document < documents.count; document++) {
    const kept = Math.min(length, documents.lengthOf(document));
    if (kept > 0) pieces.push({ document, from: 0, length: kept });
  }
  return { count: pieces.length, numPositions: totalLength(pieces), at: (row) => [pieces[row]] };
}

function rowPerPiece(documents: DocumentRows, length: number): Rows {
  const pieces = cut(documents, length);
  return { count: pieces.length, numPositions: totalLength(pieces), at: (row) => [pieces[row]] };
}

function packedRows(documents: DocumentRows, length: number): Rows {
  const pieces = cut(documents, length);
  const { numRows, order, starts } = packSequences(
    pieces.map((piece) => piece.length),
    length,
  );
  const at = (row: number) => Array.from(order.subarray(starts[row], starts[row + 1]), (i) => pieces[i]);
  return { count: numRows, numPositions: totalLength(pieces), at };
}

/** Pieces of one document at most: the list of all pieces is in memory. */
const MOST_PIECES = 2 ** 26;

/** All documents in pieces of at most `length` positions. */
function cut(documents: DocumentRows, length: number): Piece[] {
  const pieces: Piece[] = [];
  for (let document = 0; document < documents.count; document++) {
    const all = documents.lengthOf(document);
    if (all / length > MOST_PIECES) {
      throw new DataError(
        `Document ${document} makes more than ${MOST_PIECES} rows of ${length} positions; use a larger length.`,
      );
    }
    for (let from = 0; from < all; from += length)
      pieces.push({ document, from, length: Math.min(length, all - from) });
  }
  return pieces;
}

const totalLength = (pieces: readonly Piece[]) => pieces.reduce((sum, piece) => sum + piece.length, 0);

function checkSequenceOptions(options: SequenceOptions): void {
  checkOptions<SequenceOptions & { readonly seed?: number }>('sequences', options, {
    length: option.number,
    targets: option.string,
    classes: option.array,
    begin: option.number,
    end: option.number,
    padding: option.number,
    batchSize: option.number,
    packing: option.oneOf('pack', 'pad'),
    seed: option.number,
  });
  const { batchSize, length, packing, classes } = options;
  checkBatchSize(batchSize, length);
  if (classes && packing === 'pack') {
    throw new DataError("A row has one class, so it holds one document: use packing 'pad' for classification.");
  }
}
