import type { Storage } from '../../backend/types.ts';
import { ConfigurationError, ShapeError } from '../../base/errors.ts';
import { record } from '../tape.ts';
import { Tensor } from '../tensor.ts';

export interface RotaryOptions {
  /** Position of the first token. Default 0. */
  readonly offset?: number;
  /** Default 10,000. */
  readonly base?: number;
  /**
   * Stretches of batch rows that are each numbered from `offset`, covering every token once. Default: whole rows. One
   * call of the kernel for each.
   */
  readonly stretches?: readonly { readonly row: number; readonly start: number; readonly length: number }[] | undefined;
}

/** Positions are less than this in size, on every backend. */
const positionBound = 2 ** 31 - 1;

/** @throws ConfigurationError unless `offset … offset + length − 1` are whole numbers of less than 2^31 in size. */
export function checkPositions(offset: number, length: number): void {
  if (Number.isInteger(offset) && offset >= -positionBound && offset + length <= positionBound) return;
  throw new ConfigurationError(
    `Positions ${offset} to ${offset + length - 1} are not all whole numbers of less than 2^31 in size: begin a new sequence.`,
  );
}

/**
 * Rotary positions (Su et al. 2021): rotates each pair `(x[2i], x[2i+1])` of every head by
 * `(offset + position)·base^(−2i/dHead)`.
 *
 * @param x `[batch, length, heads, dHead]`, dHead even
 * @throws ShapeError when a position is not a whole number of less than 2^31 in size
 */
export function rotary(x: Tensor, { offset = 0, base = 10_000, stretches }: RotaryOptions = {}): Tensor {
  const [batch, length, heads, dHead] = x.shape as [number, number, number, number];
  checkPositions(offset, length);
  if (dHead % 2 !== 0) throw new ShapeError(`rotary positions need an even dHead; got ${dHead}.`);
  const rotate = (from: Tensor, inverse: boolean) => {
    const { backend } = from;
    const out = Tensor.empty(backend, from.shape);
    const run = (x: Storage, out: Storage, batch: number, length: number) =>
      backend.rotary({ x, out, batch, heads, length, dHead, layout: 'blhd', offset, base, inverse });
    if (!stretches) {
      run(from.storage, out.storage, batch, length);
      return out;
    }
    for (const { row, start, length: size } of stretches) {
      const part = ({ storage }: Tensor) =>
        backend.slice(storage, (row * length + start) * heads * dHead, size * heads * dHead);
      run(part(from), part(out), 1, size);
    }
    return out;
  };
  return record([x], rotate(x, false), (gradient) => [rotate(gradient, true)]);
}
