import type { Segments } from '../attention/runs.ts';
import type { KeyMask } from '../attention/types.ts';
import { ConfigurationError } from '../base/errors.ts';
import { checkPositions } from '../tensor/ops/rotary.ts';
import { Tensor } from '../tensor/tensor.ts';

/**
 * Sinusoidal positions (Vaswani et al. 2017, section 3.5): `PE[p, 2i] = sin(p/10000^(2i/dModel))`, `PE[p, 2i+1] = cos(…)`.
 *
 * @returns `[length, dModel]` for positions `offset … offset + length − 1`
 * @throws when a position is not a whole number of less than 2^31 in size
 */
export function sinusoidalPositions(offset: number, length: number, dModel: number): Float32Array {
  checkPositions(offset, length);
  const table = new Float32Array(length * dModel);
  for (let p = 0; p < length; p++) {
    for (let i = 0; i < dModel; i++) {
      const angle = (offset + p) / 10_000 ** ((i - (i % 2)) / dModel);
      table[p * dModel + i] = i % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    }
  }
  return table;
}

/** Neighbouring places of a batch row that are numbered from one start. */
export interface Stretch {
  readonly row: number;
  readonly start: number;
  readonly length: number;
}

/** The stretches of equal ids, padding among them: they cover every place once, in order. */
export function stretches(segments: Segments): Stretch[] {
  return segments.flatMap((ids, row) => {
    const found: Stretch[] = [];
    for (let start = 0; start < ids.length; ) {
      let end = start + 1;
      while (end < ids.length && ids[end] === ids[start]) end++;
      found.push({ row, start, length: end - start });
      start = end;
    }
    return found;
  });
}

/** The position of every place in its own sequence, counted from 0, row by row; 0 at padding. */
export function segmentPositions(segments: Segments): Int32Array {
  const length = segments[0]?.length ?? 0;
  const positions = new Int32Array(segments.length * length);
  for (const stretch of stretches(segments)) {
    if (segments[stretch.row][stretch.start] < 0) continue;
    for (let i = 0; i < stretch.length; i++) positions[stretch.row * length + stretch.start + i] = i;
  }
  return positions;
}

/**
 * A mask takes keys away and leaves positions as they are, so that padding in front would count.
 *
 * @throws one sentence where a row's mask has a 0 before its first 1
 */
export function checkPadding(keyMask: KeyMask | undefined, name = 'keyMask'): void {
  if (!keyMask) return;
  const isLeading = (mask: ArrayLike<number>) => mask[0] === 0 && Array.prototype.includes.call(mask, 1);
  const row = keyMask instanceof Tensor ? -1 : keyMask.findIndex(isLeading);
  if (keyMask instanceof Tensor ? keyMask.maskKind !== 'leading' : row < 0) return;
  throw new ConfigurationError(
    `The ${name}${row < 0 ? '' : ` of batch row ${row}`} masks places in front, which positions would count: put padding at the end, or mark it by segments of −1 where the model takes them.`,
  );
}
