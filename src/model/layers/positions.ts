import type { AttendOptions, Segments } from '../../attention/types.ts';
import { ConfigurationError } from '../../base/errors.ts';
import { checkPositions } from '../../tensor/ops/rotary.ts';
import { Tensor } from '../../tensor/tensor.ts';

/**
 * Sinusoidal positions (Vaswani et al. 2017, section 3.5): `PE[p, 2i] = sin(p/10000^(2i/dModel))`, `PE[p, 2i+1] = cos(…)`.
 *
 * @returns `[length, dModel]` for positions `offset … offset + length − 1`
 * @throws ConfigurationError when a position is not a whole number of less than 2^31 in size
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

/** Neighbouring tokens of a batch row that are numbered from one start. */
interface Stretch {
  readonly row: number;
  readonly start: number;
  readonly length: number;
}

/** The stretches of equal ids, padding among them: they cover every token once, in order. */
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

/** The position of every token in its stretch, counted from `offset`, row by row; 0 outside of them. */
export function stretchPositions(all: readonly Stretch[], batch: number, length: number, offset = 0): Int32Array {
  const positions = new Int32Array(batch * length);
  for (const { row, start, length: size } of all) {
    for (let i = 0; i < size; i++) positions[row * length + start + i] = offset + i;
  }
  return positions;
}

/** The position of every token in its own sequence, counted from 0, row by row; 0 at padding. */
export function segmentPositions(segments: Segments): Int32Array {
  const length = segments[0]?.length ?? 0;
  const sequences = stretches(segments).filter(({ row, start }) => segments[row][start] >= 0);
  return stretchPositions(sequences, segments.length, length);
}

/**
 * Stretches that a batch's positions are counted in. They are sequences of `segments`, or the padding that a keyMask
 * has in front of a row and what follows. Undefined where whole rows are counted.
 *
 * @throws ConfigurationError where the mask is a tensor, whose numbers cannot be read here, and has padding in front
 */
export function positionStretches({
  segments,
  keyMask,
}: Pick<AttendOptions, 'segments' | 'keyMask'>): Stretch[] | undefined {
  if (segments) return stretches(segments);
  if (!keyMask) return undefined;
  if (keyMask instanceof Tensor) {
    if (keyMask.maskKind !== 'leading') return undefined;
    throw new ConfigurationError(
      'The keyMask has padding in front, and positions are counted from behind it: give the mask as arrays, one per batch row.',
    );
  }
  const first = keyMask.map((mask) => Math.max(0, Array.prototype.indexOf.call(mask, 1)));
  if (first.every((start) => start === 0)) return undefined;
  return keyMask.flatMap(({ length }, row) =>
    [
      { row, start: 0, length: first[row] },
      { row, start: first[row], length: length - first[row] },
    ].filter((stretch) => stretch.length > 0),
  );
}
