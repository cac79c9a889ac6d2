/** Which backend one gets, and the sentence one reads when it cannot be had. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { nodeHost } from '../../src/backend/node-host.ts';
import { createBackendOn } from '../../src/backend/select.ts';
import type { BackendName } from '../../src/backend/types.ts';
import { createBackend } from '../../src/node.ts';

describe('createBackend', () => {
  it.each<BackendName>(['native', 'wasm', 'reference'])('gives the %s backend when asked', async (name) => {
    const backend = await createBackend({ backend: name, numThreads: 1 });
    expect(backend.name).toBe(name);
    expect(backend.description).toMatch(new RegExp(`^${name} .*1 thread$`));
    backend.close();
  });

  it('takes native in Node', async () => {
    const backend = await createBackend();
    expect(backend.name).toBe('native');
    backend.close();
  });

  it('falls back to WebAssembly and says why and what mends it', async () => {
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

  it('refuses kernels of another version', async () => {
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

describe('the environment', () => {
  const inNode = (env: Record<string, string>): string => {
    const code =
      "import('./dist/node.js').then((p) => p.createBackend({ backend: 'native' })).then((b) => console.log(b.description), (e) => console.log(e.message))";
    return spawnSync(process.execPath, ['-e', code], {
      env: { ...process.env, ...env },
      encoding: 'utf8',
    }).stdout.trim();
  };

  it('sets the number of threads', () => {
    expect(inNode({ PERFORMERS_THREADS: '3' })).toMatch(/^native \w+, 3 threads$/);
    expect(inNode({ PERFORMERS_THREADS: 'many' })).toMatch(/PERFORMERS_THREADS is "many"/);
  });

  it('forces an instruction set that the processor has, and no other', () => {
    const sets = nodeHost.loadAddon?.().instructionSets.split(', ') ?? [];
    expect(sets.length).toBeGreaterThan(0);
    for (const set of sets) {
      expect(inNode({ PERFORMERS_INSTRUCTION_SET: set, PERFORMERS_THREADS: '1' })).toBe(`native ${set}, 1 thread`);
    }
    const refused = inNode({ PERFORMERS_INSTRUCTION_SET: 'altivec' });
    expect(refused).toContain(`not one of this processor's: ${sets.join(', ')}`);
  });
});
