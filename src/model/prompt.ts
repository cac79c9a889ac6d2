import type { DecodingState } from '../attention/types.ts';
import { Pauses, type Pieces } from '../base/event-loop.ts';
import { scopeInSteps } from '../tensor/scope.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import type { Transformer } from './transformer.ts';

/** The kernels' blocks of positions end at multiples of this: a cut there changes no bit. */
const smallestPiece = 64;
const largestPiece = 4096;

/** Milliseconds that one piece should take. */
const wanted = { least: 2, most: 8 };

/**
 * Feeds a prompt in pieces between which the event loop may turn. The logits are those of the whole prompt at once,
 * however long the pieces are: to the bit, on the reference backend to float64's rounding. LSH attention takes the
 * prompt whole, as its buckets depend on the length.
 *
 * @returns logits of the last position, `[1, vocabSize]`; the caller disposes them
 * @throws as `Transformer.extend` does, or the signal's reason; the states may then have taken a part
 */
export async function feedPrompt(
  model: Transformer,
  ids: Int32Array,
  states: readonly DecodingState[],
  pauses: Pauses,
): Promise<Tensor> {
  const { attentions } = model;
  const takesPieces = attentions.every((attention) => !attention.extendsWhole);
  attentions.forEach((attention, layer) => {
    attention.expect?.(states[layer], ids.length);
  });
  let size = takesPieces ? smallestPiece : ids.length;
  let start = 0;
  await pauses.next();
  // Few positions go through other kernels than many, so that the last piece is not short.
  while (ids.length - start >= size + smallestPiece) {
    const piece = ids.subarray(start, start + size);
    const milliseconds = await scopeInSteps(advance(model, piece, states), pauses);
    start += size;
    if (milliseconds < wanted.least) size = Math.min(2 * size, largestPiece);
    else if (milliseconds > wanted.most) size = Math.max(size / 2, smallestPiece);
    await pauses.next();
  }
  const rest = ids.subarray(start);
  // The states of a prompt in one piece have no copy: its layers are all fed, whatever the signal.
  return scopeInSteps(extend(model, rest, states), isOnePiece(ids.length) ? new Pauses() : pauses);
}

/** @returns milliseconds of work */
function* advance(model: Transformer, ids: Int32Array, states: readonly DecodingState[]): Pieces<number> {
  const layers = model.advanceInPieces(tensor(model.backend, ids, [1, ids.length]), states);
  let milliseconds = 0;
  for (;;) {
    const begin = performance.now();
    const { done } = layers.next();
    milliseconds += performance.now() - begin;
    if (done) return milliseconds;
    yield;
  }
}

function* extend(model: Transformer, ids: Int32Array, states: readonly DecodingState[]): Pieces<Tensor> {
  return yield* model.extendInPieces(tensor(model.backend, ids, [1, ids.length]), states);
}

/** Whether {@link feedPrompt} takes so many tokens without a pause in between. */
export function isOnePiece(length: number): boolean {
  return length < 2 * smallestPiece;
}
