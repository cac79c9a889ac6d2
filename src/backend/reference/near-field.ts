/** Which keys are near a query: the conventions of kernels/description.mjs, literally. */
import type { SequenceHead } from './attention-arrays.ts';

const blockOf = (position: number, block: number) => Math.floor(position / block);

/** Whether key j, which query i sees, is near. */
export function isNear(
  sequence: SequenceHead,
  i: number,
  j: number,
  { block = 0, sinks = 0 }: { block?: number | undefined; sinks?: number | undefined },
): boolean {
  if (block === 0 || j < sinks) return true;
  return Math.abs(blockOf(sequence.positionOf(i), block) - blockOf(j, block)) <= 1;
}

/** Whether key j is far from query i: before it, or after it where the sweep is the reverse one. */
export function isFar(
  sequence: SequenceHead,
  i: number,
  j: number,
  { block, sinks = 0, reverse = false }: { block: number; sinks?: number | undefined; reverse?: boolean | undefined },
): boolean {
  const distance = blockOf(sequence.positionOf(i), block) - blockOf(j, block);
  return j >= sinks && sequence.isValidKey(j) && (reverse ? distance <= -2 : distance >= 2);
}

/** The first block that is not far from `position` in a forward sweep: the state of a position holds those before it. */
export function firstNearBlock(position: number, block: number): number {
  return blockOf(position, block) - 1;
}
