import type { Backend } from '../src/entries/performers.ts';
import type { Subject } from './measure.ts';

export const FLOPS_PER_ITERATION = 3072;

/** The instruction set of a backend: `avx512`, `simd128`. */
export const instructionSetOf = (backend: Backend): string => backend.description.split(/[ ,]+/)[1];

export const threadsText = (numThreads: number): string => `${numThreads} thread${numThreads === 1 ? '' : 's'}`;

/** Multiply-adds in registers on `numThreads` threads: the peak that shares refer to. About 5 ms natively. */
export function peakSubject(backend: Backend, numThreads = backend.numThreads): Subject {
  const iterations = backend.name === 'wasm' ? 100_000 : 200_000;
  const out = backend.allocate(numThreads);
  return {
    label: `${instructionSetOf(backend)}, ${threadsText(numThreads)}`,
    flops: numThreads * iterations * FLOPS_PER_ITERATION,
    run: () => backend.peak({ out, iterations }),
  };
}
