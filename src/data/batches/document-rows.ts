import { DataError } from '../../base/errors.ts';
import type { TokenSplit } from '../tokens/token-store.ts';
import type { Batch } from './windows.ts';

export interface DocumentRowsOptions {
  /** Positions of a row. */
  readonly length: number;
  /** Targets: the token that follows within the document (default), or the token itself, to be masked later. */
  readonly targets?: 'following' | 'itself' | undefined;
  /** The class of each document, which is then the target of its row. */
  readonly classes?: ArrayLike<number> | undefined;
  /** Ids put before and after every document, such as a classification token and a separator. */
  readonly begin?: number | undefined;
  readonly end?: number | undefined;
  /** Input at positions without a token; nothing sees it. Default 0. */
  readonly padding?: number | undefined;
}

/** Positions `from … from + length − 1` of a document. */
export interface Piece {
  readonly document: number;
  readonly from: number;
  readonly length: number;
}

/**
 * The documents of a split, each between its `begin` and `end`. A position is an input that has a target. A document of n
 * tokens therefore has n − 1 positions where the target is the token that follows.
 */
export class DocumentRows {
  readonly #tokens: TokenSplit;
  readonly #options: DocumentRowsOptions;
  /** Tokens that a piece needs beyond its positions. */
  readonly #ahead: number;

  /** @throws DataError unless there is one class for every document */
  constructor(tokens: TokenSplit, options: DocumentRowsOptions) {
    const { targets = 'following', classes } = options;
    if (classes && classes.length !== tokens.documents.length) {
      throw new DataError(
        `There are ${classes.length} classes for ${tokens.documents.length} documents; give one for each.`,
      );
    }
    this.#tokens = tokens;
    this.#options = options;
    this.#ahead = classes || targets === 'itself' ? 0 : 1;
  }

  get count(): number {
    return this.#tokens.documents.length;
  }

  /** Number of positions of a document, 0 where it is too short to have one. */
  lengthOf(document: number): number {
    const { begin, end } = this.#options;
    const frame = (begin === undefined ? 0 : 1) + (end === undefined ? 0 : 1);
    return Math.max(0, this.#contentLength(document) + frame - this.#ahead);
  }

  /** One row for each list of pieces; the rest of a row is padding. */
  async batch(rows: readonly (readonly Piece[])[]): Promise<Batch> {
    const { length, classes, padding = 0 } = this.#options;
    const batchSize = rows.length;
    const inputs = new Int32Array(batchSize * length).fill(padding);
    const targets = new Int32Array(classes ? batchSize : batchSize * length).fill(-1);
    const segments = rows.map(() => new Int32Array(length).fill(-1));
    const fillRow = async (pieces: readonly Piece[], row: number) => {
      const read = await Promise.all(pieces.map((piece) => this.#read(piece)));
      let start = 0;
      for (const [i, { document, length: size }] of pieces.entries()) {
        const at = row * length + start;
        inputs.set(read[i].subarray(0, size), at);
        segments[row].fill(i, start, start + size);
        if (classes) targets[row] = classes[document];
        else targets.set(read[i].subarray(this.#ahead), at);
        start += size;
      }
    };
    await Promise.all(rows.map(fillRow));
    return { inputs, targets, segments, batchSize, length };
  }

  #contentLength(document: number): number {
    const { documents, length } = this.#tokens;
    return (documents[document + 1] ?? length) - documents[document];
  }

  /** The tokens of a piece, and the one that follows where it is a target. */
  async #read({ document, from, length }: Piece): Promise<Int32Array> {
    const { begin, end } = this.#options;
    const content = this.#contentLength(document);
    const first = begin === undefined ? from : from - 1;
    const ids = new Int32Array(length + this.#ahead);
    const start = Math.max(0, first);
    const stop = Math.min(content, first + ids.length);
    ids.set(
      await this.#tokens.read(this.#tokens.documents[document] + start, Math.max(0, stop - start)),
      start - first,
    );
    if (begin !== undefined && from === 0) ids[0] = begin;
    if (end !== undefined && first + ids.length > content) ids[ids.length - 1] = end;
    return ids;
  }
}
