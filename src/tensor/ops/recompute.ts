import { scope } from '../scope.ts';
import { accumulate, record, untaped, valueAndGradients } from '../tape.ts';
import { Tensor } from '../tensor.ts';

/**
 * `fn(x)`, without keeping what `fn` makes on the way. The backward pass runs `fn` again (gradient checkpointing; Chen
 * et al. 2016, "Training Deep Nets with Sublinear Memory Cost"). Costs one more run of `fn`.
 *
 * With several pieces, `fn` runs on one piece of the rows of `x` after another, both ways, so that memory is that of
 * one piece. Each piece then adds to the gradients of the parameters, in the order of the pieces.
 *
 * @param fn must give the same whenever it is called. With several pieces, every row of its result must depend on the
 *   same row of its argument alone.
 * @param x `[…, width]`; its rows are the product of the leading axes
 * @param parameters what else of what `fn` uses is to be differentiated
 * @param numPieces at least 1; more than there are rows is one piece for every row
 * @returns what `fn` gives; in several pieces, shaped like x but for the last axis
 */
export function recompute(fn: (x: Tensor) => Tensor, x: Tensor, parameters: readonly Tensor[], numPieces = 1): Tensor {
  const pieces = piecesOf(x, numPieces);
  const out = untaped(() => joined(x, pieces, (rows) => scope(() => fn(rows))));
  return record([x, ...parameters], out, (gradient, needed) => {
    const wanted = parameters.filter((_, i) => needed[i + 1]);
    let totals: Tensor[] | undefined;
    const dX = joined(x, pieces, (piece, at) => {
      const seed = takeRows(gradient, at, pieces.length);
      const { value, gradients } = valueAndGradients(() => fn(piece), [piece, ...wanted], seed);
      for (const used of [value, seed]) used.dispose();
      const [dPiece, ...dParameters] = gradients;
      totals = totals ? totals.map((total, i) => accumulate(total, dParameters[i])) : dParameters;
      return dPiece;
    });
    const found = new Map(wanted.map((parameter, i) => [parameter, totals?.[i]]));
    return [dX, ...parameters.map((parameter) => found.get(parameter))];
  });
}

/** Rows `start … start + count − 1`. */
interface Piece {
  readonly start: number;
  readonly count: number;
}

const rowsOf = ({ shape }: Tensor): number => shape.slice(0, -1).reduce((product, size) => product * size, 1);

/** As even as can be; no piece is empty. */
function piecesOf(x: Tensor, numPieces: number): Piece[] {
  const rows = rowsOf(x);
  const count = Math.max(1, Math.min(numPieces, rows));
  const startOf = (piece: number) => Math.floor((piece * rows) / count);
  return Array.from({ length: count }, (_, i) => ({ start: startOf(i), count: startOf(i + 1) - startOf(i) }));
}

/** A copy of some rows, `[count, width]`; the only piece is `x` under its own shape. */
function takeRows(x: Tensor, { start, count }: Piece, numPieces: number): Tensor {
  if (numPieces === 1) return x.view();
  const width = x.shape.at(-1)!;
  const rows = Tensor.empty(x.backend, [count, width]);
  x.backend.copy(x.backend.slice(x.storage, start * width, rows.size), rows.storage);
  return rows;
}

/** The results of `fn` on the pieces of `x`, one below the other. */
function joined(x: Tensor, pieces: readonly Piece[], fn: (rows: Tensor, piece: Piece) => Tensor): Tensor {
  let out: Tensor | undefined;
  for (const piece of pieces) {
    const rows = takeRows(x, piece, pieces.length);
    const result = fn(rows, piece);
    if (result !== rows) rows.dispose();
    if (pieces.length === 1) return result;
    const width = result.shape.at(-1)!;
    out ??= Tensor.empty(x.backend, [...x.shape.slice(0, -1), width]);
    x.backend.copy(result.storage, x.backend.slice(out.storage, piece.start * width, result.size));
    result.dispose();
  }
  return out!;
}
