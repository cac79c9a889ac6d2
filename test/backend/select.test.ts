/** Which backend one gets, and the sentence one reads when it cannot be had. */
import { describe, expect, it } from 'vitest';
import { nodeHost } from '../../src/backend/native/node-host.ts';
import { createBackendOn } from '../../src/backend/select.ts';
import type { BackendName } from '../../src/backend/types.ts';
import { createBackend } from '../../src/entries/performers.ts';
import { compiledBackends, hasAddon } from './available.ts';
import { inNode } from './child.ts';

describe('createBackend', () => {
  it.each<BackendName>([...compiledBackends, 'reference'])('gives the %s backend when asked', async (name) => {
    const backend = await createBackend({ backend: name, numThreads: 1 });
    expect(backend.name).toBe(name);
    expect(backend.description).toMatch(new RegExp(`^${name} .*1 thread$`));
    backend.close();
  });

  it.skipIf(!hasAddon)('takes native in Node', async () => {
    const backend = await createBackend();
    expect(backend.name).toBe('native');
    backend.close();
  });

  it('falls back to WebAssembly and says why and what fixes it', async () => {
    const warnings: string[] = [];
    const host = {
      ...nodeHost,
      loadAddon: () => {
        throw new Error('no such file');
      },
      warn: (message: string) => warnings.push(message),
    };
    const backend = await createBackendOn(host, { numThreads: 2 });
    expect(backend.name).toBe('wasm');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/no such file.*install a C\+\+ compiler and run `npm run build`/);
    backend.close();
    await expect(createBackendOn(host, { backend: 'native' })).rejects.toThrow('no such file');
  });

  it('uses one thread where memory cannot be shared', async () => {
    const backend = await createBackendOn({ ...nodeHost, sharesMemory: false }, { backend: 'wasm', numThreads: 4 });
    expect(backend.numThreads).toBe(1);
    backend.close();
  });

  it('computes without a thread that does not start, and says so', async () => {
    const warnings: string[] = [];
    const host = {
      ...nodeHost,
      startWorker: () => ({ ready: Promise.reject(new Error('no more threads')), terminate: () => {} }),
      warn: (message: string) => warnings.push(message),
    };
    const backend = await createBackendOn(host, { backend: 'wasm', numThreads: 3 });
    const [length, value] = [3 * 65536 + 17, 1.25];
    const filled = backend.allocate(length);
    backend.fill(filled, value);
    const values = await backend.read(filled);
    expect(values.every((each) => each === value)).toBe(true);
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatch(/thread did not start \(no more threads\).*pass numThreads: 1/);
    backend.close();
  });

  it.skipIf(!hasAddon)('refuses kernels of another version', async () => {
    const addon = nodeHost.loadAddon?.();
    const older = { ...addon, kernels: addon?.kernels.filter(({ name }) => name !== 'favor_step') } as typeof addon;
    const host = { ...nodeHost, loadAddon: () => older as NonNullable<typeof addon> };
    await expect(createBackendOn(host, { backend: 'native' })).rejects.toThrow(/favor_step is missing.*npm run build/);
  });

  it('refuses a number of threads or a name that cannot be', async () => {
    await expect(createBackend({ numThreads: 0 })).rejects.toThrow(/numThreads is 0/);
    await expect(createBackend({ numThreads: 1.5 })).rejects.toThrow(/numThreads is 1.5/);
    await expect(createBackend({ backend: 'cuda' as BackendName })).rejects.toThrow(/no backend "cuda"/);
  });
});

const description = 'backend.description';

describe('the environment', () => {
  it('sets the number of threads', () => {
    const options = { backend: 'wasm' };
    expect(inNode(options, description, { PERFORMERS_THREADS: '3' })).toMatch(/^wasm \w+, 3 threads$/);
    expect(inNode(options, description, { PERFORMERS_THREADS: 'many' })).toMatch(/PERFORMERS_THREADS is "many"/);
  });

  it.skipIf(!hasAddon)('forces an instruction set that the processor has, and no other', () => {
    const options = { backend: 'native', numThreads: 1 };
    const sets = nodeHost.loadAddon?.().instructionSets.split(', ') ?? [];
    expect(sets.length).toBeGreaterThan(0);
    for (const set of sets) {
      expect(inNode(options, description, { PERFORMERS_INSTRUCTION_SET: set })).toBe(`native ${set}, 1 thread`);
    }
    const refused = inNode(options, description, { PERFORMERS_INSTRUCTION_SET: 'altivec' });
    expect(refused).toContain(`not one of this processor's: ${sets.join(', ')}`);
  });

  it('chooses between the WebAssembly builds', () => {
    const options = { backend: 'wasm', numThreads: 1 };
    expect(inNode(options, description, { PERFORMERS_INSTRUCTION_SET: 'simd128' })).toBe('wasm simd128, 1 thread');
  });
});

describe.each(compiledBackends)('a process with an open %s backend', (backend) => {
  it('ends by itself, its threads with it', () => {
    const work = '(backend.fill(backend.allocate(10 ** 6), 1), "done")';
    expect(inNode({ backend, numThreads: 3 }, work)).toBe('done');
  });

  it('starts whatever flags Node was started with', () => {
    expect(inNode({ backend, numThreads: 2 }, '"done"', {}, ['--input-type=module'])).toBe('done');
  });
});
