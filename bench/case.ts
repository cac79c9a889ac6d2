import type { Backend } from '../src/entries/performers.ts';
import type { Subject, Timing } from './measure.ts';
import type { PeerTask } from './peers/peer.ts';

/** A value check that ran before timing. */
export interface Check {
  readonly what: string;
  /** Largest absolute difference over the largest absolute reference value. */
  readonly error: number;
  readonly bound: number;
}

/** A figure that is no time of a subject. */
export interface Measurement {
  readonly label: string;
  readonly value: number;
  readonly unit: string;
}

export interface Subjects {
  readonly subjects: readonly Subject[];
  /** Labels of subjects to compare, slow ones first: how many times as long do they take? */
  readonly comparisons?: readonly (readonly [slow: string, fast: string])[];
  /** What else is measured, or follows from the timings of these subjects; runs after them. */
  summarise?(timings: readonly Timing[]): readonly Measurement[] | Promise<readonly Measurement[]>;
  release(): void;
}

export type BackendKind = 'native' | 'wasm';

/** One file of `bench/`. */
export interface BenchmarkCase {
  readonly name: string;
  /** One line: sizes, and how flops are counted. */
  readonly description: string;
  /** Where the case runs unless the command line says otherwise. Default: native alone. */
  readonly on?: readonly BackendKind[];
  /** Compares the backend's values with the float64 reference's on small sizes. */
  check(backend: Backend, reference: Backend): Promise<Check[]>;
  /** Builds what is timed. Called once for each backend: WebAssembly runs on one thread and on all. */
  prepare(backend: Backend): Promise<Subjects>;
  /** What other engines are given to do beside it. */
  peerTasks?(kind: BackendKind): readonly PeerTask[];
}

export function releaseAll(releases: readonly (() => void)[]): void {
  for (const release of releases) release();
}

/** Largest absolute difference over the largest absolute reference value; NaN if any value is. */
export function relativeError(what: string, values: ArrayLike<number>, reference: ArrayLike<number>): number {
  if (values.length !== reference.length || values.length === 0) {
    throw new Error(`${what}: ${values.length} values where the reference has ${reference.length}.`);
  }
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < values.length; i++) {
    largest = Math.max(largest, Math.abs(reference[i]));
    difference = Math.max(difference, Math.abs(values[i] - reference[i]));
  }
  return difference / largest;
}

/** @throws if the two differ by more than `bound` relative to the largest reference value, or by a NaN. */
export function compare(what: string, values: ArrayLike<number>, reference: ArrayLike<number>, bound: number): Check {
  const error = relativeError(what, values, reference);
  if (!(error <= bound)) {
    throw new Error(
      `${what} differs from the reference by ${error.toExponential(1)} of its largest value, more than ${bound}: ` +
        'nothing was timed; run `npm test`.',
    );
  }
  return { what, error, bound };
}

/** Deterministic normal numbers (xorshift32 and Box–Muller): the same on every run. */
export function normalNumbers(count: number, seed: number, deviation = 1): Float32Array<ArrayBuffer> {
  let state = (seed * 2654435761) >>> 0 || 1;
  const uniform = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) + 0.5) / 4294967296;
  };
  return Float32Array.from(
    { length: count },
    () => deviation * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}
