/** Runs every case on one backend, with one thread and with two, against the float64 reference. */
import { afterAll, describe, expect, test } from 'vitest';
import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import type { Backend, BackendName, Storage } from '../../src/backend/types.ts';
import { createBackend } from '../../src/entries/performers.ts';
import {
  arraysOf,
  type Case,
  type CaseArrays,
  type Data,
  differingOutputs,
  relativeError,
  relativeNormError,
  UNTOUCHED,
} from './case.ts';
import { elementwiseCases } from './cases/arrays/elementwise.ts';
import { softmaxCases } from './cases/arrays/softmax.ts';
import { stridedCases } from './cases/arrays/strided.ts';
import { farFieldCases } from './cases/attention/far-field.ts';
import { favorCases } from './cases/attention/favor.ts';
import { favorCausalCases } from './cases/attention/favor-causal.ts';
import { favorFeaturesCases } from './cases/attention/favor-features.ts';
import { favorStepCases } from './cases/attention/favor-step.ts';
import { lshAttentionCases } from './cases/attention/lsh-attention.ts';
import { nearMassCases } from './cases/attention/near-mass.ts';
import { softmaxAttentionCases } from './cases/attention/softmax-attention.ts';
import { dropoutCases } from './cases/dense/dropout.ts';
import { embeddingCases } from './cases/dense/embedding.ts';
import { gemmCases } from './cases/dense/gemm.ts';
import { layerNormCases } from './cases/dense/layer-norm.ts';
import { rotaryCases } from './cases/dense/rotary.ts';
import { adamWCases } from './cases/training/adamw.ts';
import { crossEntropyCases } from './cases/training/cross-entropy.ts';
import { klDivergenceCases } from './cases/training/kl-divergence.ts';
import { testLeftOut } from './left-out.ts';

const nouns: Record<string, readonly Case[]> = {
  gemm: gemmCases,
  elementwise: elementwiseCases,
  strided: stridedCases,
  softmax: softmaxCases,
  'layer norm': layerNormCases,
  embedding: embeddingCases,
  rotary: rotaryCases,
  dropout: dropoutCases,
  'cross-entropy': crossEntropyCases,
  'kl-divergence': klDivergenceCases,
  adamw: adamWCases,
  'softmax attention': softmaxAttentionCases,
  'lsh attention': lshAttentionCases,
  'favor features': favorFeaturesCases,
  favor: favorCases,
  'favor causal': favorCausalCases,
  'favor step': favorStepCases,
  'far field': farFieldCases,
  'near mass': nearMassCases,
};

/** Elements around every array; an odd number, so that arrays are aligned to no more than an element. */
const GUARD = 19;

/** Uploads data between guards that no call may use (NaN around inputs) or change (around outputs). */
function guarded(backend: Backend, data: Data, guard: number): { whole: Storage; part: Storage } {
  const around =
    data instanceof Int32Array ? new Int32Array(data.length + 2 * GUARD) : new Float32Array(data.length + 2 * GUARD);
  around.fill(data instanceof Int32Array ? -1 : guard);
  around.set(data, GUARD);
  const whole = backend.upload(around);
  return { whole, part: backend.slice(whole, GUARD, data.length) };
}

/** What a case leaves in its outputs on a backend; fails if anything around them was written. */
export async function outputsOf(
  backend: Backend,
  item: Case,
  { inputs, outputs }: CaseArrays,
): Promise<Record<string, Float64Array>> {
  const held: Storage[] = [];
  const arrays: Record<string, Storage> = {};
  const wholes: Record<string, Storage> = {};
  const place = (name: string, data: Data, guard: number) => {
    const { whole, part } = guarded(backend, data, guard);
    held.push(whole);
    arrays[name] = part;
    return whole;
  };
  for (const [name, data] of Object.entries(inputs)) place(name, data, Number.NaN);
  for (const [name, data] of Object.entries(outputs)) wholes[name] = place(name, data, UNTOUCHED);
  item.call(backend, arrays);
  const results: Record<string, Float64Array> = {};
  for (const [name, whole] of Object.entries(wholes)) {
    const data = Float64Array.from(await backend.read(whole));
    const guard = whole.type === 'int32' ? -1 : UNTOUCHED;
    const isGuard = (number: number) => number === guard;
    const end = data.length - GUARD;
    if (!data.subarray(0, GUARD).every(isGuard) || !data.subarray(end).every(isGuard)) {
      throw new Error(`${item.name} wrote around ${name}`);
    }
    results[name] = data.subarray(GUARD, end);
  }
  for (const storage of held) backend.release(storage);
  return results;
}

async function open(name: BackendName, instructionSet?: string): Promise<[one: Backend, two: Backend]> {
  if (instructionSet !== undefined) process.env.PERFORMERS_INSTRUCTION_SET = instructionSet;
  const one = await createBackend({ backend: name, numThreads: 1 });
  const two = await createBackend({ backend: name, numThreads: 2 });
  if (instructionSet !== undefined && !one.description.includes(instructionSet)) {
    throw new Error(`the addon was loaded before as ${one.description}`);
  }
  return [one, two];
}

/** A backend with one and with two threads, or the reason why this machine lacks the backend. */
export async function openPair(name: BackendName, instructionSet?: string): Promise<[Backend, Backend] | string> {
  try {
    return await open(name, instructionSet);
  } catch (error) {
    // WebAssembly needs nothing of the machine: its absence is a fault.
    if (name === 'wasm') throw error;
    const reason = error instanceof Error ? error.message : String(error);
    console.warn(`skipped: ${name}${instructionSet ? ` ${instructionSet}` : ''}: ${reason}`);
    return reason;
  }
}

/** Declares the tests of one backend. */
export async function testConformance(name: BackendName, instructionSet?: string): Promise<void> {
  const title = instructionSet ? `${name} ${instructionSet}` : name;
  const pair = await openPair(name, instructionSet);
  if (typeof pair === 'string') {
    test.skip(`${title}: ${pair}`);
    return;
  }
  const [one, two] = pair;
  const reference = createReferenceBackend();
  afterAll(() => {
    one.close();
    two.close();
  });
  // Narrower builds of the same kernels are tried in one layout, without wide heads.
  testLeftOut(title, one, (item) => instructionSet === undefined || !/blhd|wide/.test(item));
  for (const [noun, cases] of Object.entries(nouns)) {
    describe(`${title}: ${noun}`, () => {
      test.each(cases.map((item) => [item.name, item] as const))('%s', async (_, item) => {
        const arrays = arraysOf(item);
        const raw = await outputsOf(one, item, arrays);
        const observe = item.observe ?? ((outputs) => ({ ...outputs }));
        const actual = observe(raw);
        const expected = observe(await outputsOf(reference, item, arrays));
        for (const key of Object.keys(expected)) {
          const bound = typeof item.bound === 'number' ? item.bound : item.bound[key];
          const error = relativeError(actual[key], expected[key], item.termSize?.[key]);
          expect(error, `${key}; ${item.because}`).toBeLessThanOrEqual(bound);
        }
        for (const [key, bound] of Object.entries(item.normBound ?? {})) {
          const error = relativeNormError(actual[key], expected[key]);
          expect(error, `norm of ${key}; ${item.because}`).toBeLessThanOrEqual(bound);
        }
        const threaded = await outputsOf(two, item, arrays);
        expect(differingOutputs(threaded, raw), 'outputs that differ with two threads').toEqual([]);
      });
    });
  }
}
