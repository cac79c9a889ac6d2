/** One call of a backend with its inputs: what the conformance suite runs on every backend. */
import type { Backend, Storage } from '../../src/backend/types.ts';
import { Random } from '../../src/base/random.ts';

export type Data = Float32Array | Int32Array;

/** Values of an output that a call must leave alone: distinct enough that any write shows. */
export const UNTOUCHED = -7.25;

export interface Case {
  readonly name: string;
  /** Largest allowed |actual − expected| / max |expected|, per output or for all. */
  readonly bound: number | Readonly<Record<string, number>>;
  /**
   * Outputs whose terms may cancel down to rounding: the size of the terms, to which the error is then relative where
   * the outputs are smaller.
   */
  readonly termSize?: Readonly<Record<string, number>>;
  /** Largest allowed ‖actual − expected‖ / ‖expected‖ in the Euclidean norm, for the outputs named. */
  readonly normBound?: Readonly<Record<string, number>>;
  /** Why the bound is what it is. */
  readonly because: string;
  readonly inputs: (random: Random) => Record<string, Data>;
  /** Lengths of the outputs (first filled with {@link UNTOUCHED}), or their contents before the call. */
  readonly outputs: (random: Random) => Record<string, number | Data>;
  readonly call: (backend: Backend, arrays: Readonly<Record<string, Storage>>) => void;
  /** What is compared, if not the outputs as they are. */
  readonly observe?: (outputs: Readonly<Record<string, Float64Array>>) => Record<string, Float64Array>;
}

/** Float32 normals, so that every backend starts from the same numbers. */
export function normals(random: Random, count: number, scale = 1): Float32Array {
  return Float32Array.from({ length: count }, () => scale * random.normal());
}

/** The arrays of a call: inputs and outputs before it. */
export interface CaseArrays {
  readonly inputs: Readonly<Record<string, Data>>;
  readonly outputs: Readonly<Record<string, Data>>;
}

/** The arrays of a case, the same at every call. */
export function arraysOf(item: Case): CaseArrays {
  const random = randomOf(item.name);
  const inputs = item.inputs(random);
  const outputs = Object.entries(item.outputs(random)).map(([name, contents]) => [
    name,
    typeof contents === 'number' ? new Float32Array(contents).fill(UNTOUCHED) : contents,
  ]);
  return { inputs, outputs: Object.fromEntries(outputs) };
}

/** A generator whose numbers depend on the case alone. */
export function randomOf(name: string): Random {
  let hash = 0;
  for (const character of name) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) >>> 0;
  return new Random(hash, 1);
}

/**
 * max |actual − expected| / max(|expected|, minSize). Infinite where the lengths differ, or a number that is not finite
 * is not met by the same.
 */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>, minSize = 0): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let error = 0;
  let size = minSize;
  for (let i = 0; i < expected.length; i++) {
    if (Object.is(actual[i], expected[i])) {
      if (Number.isFinite(expected[i])) size = Math.max(size, Math.abs(expected[i]));
      continue;
    }
    if (!Number.isFinite(actual[i]) || !Number.isFinite(expected[i])) return Number.POSITIVE_INFINITY;
    error = Math.max(error, Math.abs(actual[i] - expected[i]));
    size = Math.max(size, Math.abs(expected[i]));
  }
  if (error === 0) return 0;
  return size === 0 ? Number.POSITIVE_INFINITY : error / size;
}

/** ‖actual − expected‖ / ‖expected‖ in the Euclidean norm. */
export function relativeNormError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let error = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  return error === 0 ? 0 : Math.sqrt(error / size);
}

/** Names of the outputs that differ in any bit. Fast where a deep equality of large arrays is not. */
export function differingOutputs(
  a: Readonly<Record<string, ArrayLike<number>>>,
  b: Readonly<Record<string, ArrayLike<number>>>,
): string[] {
  return Object.keys({ ...a, ...b }).filter((name) => {
    if (a[name]?.length !== b[name]?.length) return true;
    for (let i = 0; i < a[name].length; i++) if (!Object.is(a[name][i], b[name][i])) return true;
    return false;
  });
}
