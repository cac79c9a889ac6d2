import type { Backend } from '../src/node.ts';
import type { Subject } from './measure.ts';

const FLOPS_PER_ITERATION = 3072;

/** Multiply-adds in registers on `numThreads` threads: the peak that shares refer to. */
export function peakSubject(backend: Backend, numThreads = backend.numThreads, iterations = 200_000): Subject {
  const out = backend.allocate(numThreads);
  return {
    label: 'peak',
    flops: numThreads * iterations * FLOPS_PER_ITERATION,
    run: () => backend.peak({ out, iterations }),
  };
}
