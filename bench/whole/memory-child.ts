/**
 * One forward pass in a process of its own: prints, as JSON, what it added to resident memory and to what the backend holds.
 * Arguments: backend, threads, length, `bidirectional` or `causal`.
 */
import { createBackend, drawFeatures, favorAttention } from '../../src/entries/performers.ts';
import { D_HEAD, NUM_FEATURES } from '../attention/attention-inputs.ts';
import { longInputs } from './memory-inputs.ts';

/** What one forward pass holds beyond queries, keys, values and the output, bytes. */
export interface ForwardMemory {
  /** By the backend's own accounting; the kernels' scratch space is not part of it. */
  readonly backend: number;
  /** By the resident set of the process, with the kernels' scratch space, threads and code. */
  readonly resident: number;
}

const [kind, threads, length, direction] = process.argv.slice(2);

const backend = await createBackend({ backend: kind === 'wasm' ? 'wasm' : 'native', numThreads: Number(threads) });
const features = drawFeatures(backend, D_HEAD, { numFeatures: NUM_FEATURES });
const inputs = longInputs(backend, Number(length));
const before = { backend: backend.bytesAllocated, resident: process.memoryUsage.rss() };
const out = favorAttention(...inputs, { features, causal: direction === 'causal' });
const added: ForwardMemory = {
  backend: backend.bytesAllocated - before.backend - 4 * out.size,
  resident: process.memoryUsage.rss() - before.resident - 4 * out.size,
};
backend.close();
console.log(JSON.stringify(added));
