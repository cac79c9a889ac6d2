import { type Backend, Tensor } from '../../src/entries/performers.ts';
import { D_HEAD, HEADS } from '../attention/attention-inputs.ts';
import { normalNumbers } from '../case.ts';

/**
 * Queries, keys and values `[1, heads, length, dHead]` of repeated normal numbers, written in small pieces. Filling
 * them leaves no trace in the process's memory, and takes no time at great lengths.
 */
export function longInputs(backend: Backend, length: number): [Tensor, Tensor, Tensor] {
  const filled = (seed: number): Tensor => {
    const tensor = Tensor.empty(backend, [1, HEADS, length, D_HEAD]);
    const piece = normalNumbers(64 * D_HEAD, seed);
    for (let at = 0; at < tensor.size; at += piece.length) {
      backend.write(tensor.storage, piece.subarray(0, tensor.size - at), at);
    }
    return tensor;
  };
  return [filled(1), filled(2), filled(3)];
}
