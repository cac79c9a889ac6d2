import type { Backend, BackendOptions } from '../../src/entries/performers.ts';

export interface Result {
  readonly description: string;
  readonly isolated: boolean;
  readonly out: number[];
}

/**
 * Causal FAVOR+ on fixed numbers. The browser test sends its source to the page, so it refers to nothing outside.
 */
export async function causalFavor(
  createBackend: (options: BackendOptions) => Promise<Backend>,
  options: BackendOptions,
): Promise<Result> {
  const backend = await createBackend(options);
  const [batch, heads, length, dHead, dValue, numFeatures] = [2, 3, 211, 17, 19, 37];
  const numbers = (count: number, frequency: number): Float32Array =>
    Float32Array.from({ length: count }, (_, i) => Math.fround(1.3 * Math.sin(frequency * i * i + i)));
  const out = backend.allocate(batch * heads * length * dValue);
  backend.favorCausal({
    q: backend.upload(numbers(batch * heads * length * dHead, 0.37)),
    k: backend.upload(numbers(batch * heads * length * dHead, 0.53)),
    v: backend.upload(numbers(batch * heads * length * dValue, 0.71)),
    projection: backend.upload(numbers(numFeatures * dHead, 0.97)),
    sequences: backend.upload(Int32Array.of(0, 0, length, 0, length, 0, 1, 0, length, 0, length, 0)),
    numSequences: 2,
    heads,
    lengthQ: length,
    lengthK: length,
    dHead,
    dValue,
    numFeatures,
    map: 'exponential',
    epsilon: 0,
    form: 'dense',
    factors: 0,
    directions: numFeatures,
    weight: 0,
    stabiliser: 0,
    layout: 'bhld',
    out,
    denominator: backend.allocate(batch * heads * length),
  });
  const result = {
    description: backend.description,
    isolated: (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true,
    out: Array.from(await backend.read(out)),
  };
  backend.close();
  return result;
}
