/** The two allocators, and that a backend's memory stays flat. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CachingAllocator, sizeClass } from '../../src/backend/compiled/allocator.ts';
import type { KernelModule } from '../../src/backend/compiled/module.ts';
import { LinearMemory } from '../../src/backend/wasm/linear-memory.ts';
import { createBackend } from '../../src/entries/performers.ts';
import { compiledBackends } from './available.ts';

/** Other C libraries give memory back by themselves, or never. */
const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
const hasGlibc = header.glibcVersionRuntime !== undefined;

describe('sizeClass', () => {
  it('holds the request, wastes at most an eighth above 512 bytes, and is its own class', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (bytes) => {
        const size = sizeClass(bytes);
        expect(size).toBeGreaterThanOrEqual(bytes);
        expect(size % 64).toBe(0);
        expect(sizeClass(size)).toBe(size);
        expect(size - bytes).toBeLessThanOrEqual(Math.max(64, bytes / 8));
      }),
    );
  });
});

/** A module with `capacity` bytes and nothing else. */
function moduleOf(capacity: number): { module: KernelModule; live: Map<number, number> } {
  const live = new Map<number, number>();
  let next = 64;
  const used = (): number => [...live.values()].reduce((sum, size) => sum + size, 0);
  const module = {
    name: 'wasm',
    allocate: (bytes: number) => {
      if (used() + bytes > capacity) return 0;
      live.set(next, bytes);
      next += bytes;
      return next - bytes;
    },
    free: (address: number) => {
      expect(live.delete(address)).toBe(true);
    },
  } as KernelModule;
  return { module, live };
}

describe('CachingAllocator', () => {
  it('reuses freed blocks of a class and gives them back only when memory runs out', () => {
    const { module, live } = moduleOf(4096);
    const memory = new CachingAllocator(module);
    const first = memory.allocate(1000);
    memory.release(first);
    expect(memory.allocate(1020)).toBe(first);
    memory.release(first);
    expect([live.size, memory.bytesHeld]).toEqual([1, 1024]);
    memory.allocate(4096);
    expect([live.size, memory.bytesHeld]).toEqual([1, 4096]);
    expect(() => memory.allocate(64)).toThrow(/cannot allocate 64 bytes/);
    memory.close();
    expect([live.size, memory.bytesHeld]).toEqual([0, 0]);
  });

  it('gives a large request the smallest free block of up to twice its size', () => {
    const { module } = moduleOf(2 ** 30);
    const memory = new CachingAllocator(module);
    const mebibyte = 2 ** 20;
    const [three, four, nine] = [3, 4, 9].map((size) => memory.allocate(size * mebibyte));
    for (const block of [nine, three, four]) memory.release(block);
    const held = memory.bytesHeld;
    expect(memory.allocate(2.5 * mebibyte)).toBe(three);
    expect(memory.allocate(2.5 * mebibyte)).toBe(four);
    expect(memory.bytesHeld).toBe(held);
    // Nine is more than twice as large; a small request takes no block of another class.
    expect(memory.allocate(4 * mebibyte)).not.toBe(nine);
    expect(memory.allocate(1000)).not.toBe(nine);
    // A block keeps its size.
    memory.release(three);
    expect(memory.allocate(3 * mebibyte)).toBe(three);
    memory.close();
  });

  it('holds little more than the most that was in use, whatever the sizes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 15, max: 46 }), { minLength: 50, maxLength: 50 }), (sizes) => {
        const { module } = moduleOf(2 ** 34);
        const memory = new CachingAllocator(module);
        for (const size of sizes) {
          const blocks = Array.from({ length: 12 }, () => memory.allocate(size * 400_000));
          for (const block of blocks) memory.release(block);
        }
        // Sizes differ by a factor of three, so that there are at most two sets of blocks.
        expect(memory.bytesHeld).toBeLessThan(12 * 2 * 1.125 * Math.max(...sizes) * 400_000);
        memory.close();
      }),
      { numRuns: 30 },
    );
  });

  it('takes back only what it gave', () => {
    const memory = new CachingAllocator(moduleOf(4096).module);
    expect(() => memory.release(4)).toThrow(/not that of a block/);
  });
});

describe('LinearMemory', () => {
  it('keeps blocks aligned, apart and inside, and joins what is freed', () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(200_000)), { maxLength: 60 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 1000 }), (sequence, base) => {
        const memory = new WebAssembly.Memory({ initial: 1, maximum: 64 });
        const blocks = new LinearMemory(memory, base);
        const live = new Map<number, number>();
        for (const [take, size] of sequence) {
          if (take || live.size === 0) {
            const address = blocks.allocate(size);
            if (address === 0) continue;
            expect(address % 64).toBe(0);
            expect(address).toBeGreaterThanOrEqual(base);
            expect(address + size).toBeLessThanOrEqual(memory.buffer.byteLength);
            for (const [other, otherSize] of live) {
              expect(address >= other + otherSize || address + size <= other).toBe(true);
            }
            live.set(address, size);
          } else {
            const address = [...live.keys()][size % live.size];
            blocks.free(address);
            live.delete(address);
          }
        }
        for (const address of live.keys()) blocks.free(address);
        const start = Math.ceil(base / 64) * 64;
        const before = memory.buffer.byteLength;
        // Joined into one range, everything is free again.
        expect(blocks.allocate(before - start)).toBe(start);
        expect(memory.buffer.byteLength).toBe(before);
      }),
    );
  });

  it('answers 0 at the maximum and refuses what it did not give', () => {
    const blocks = new LinearMemory(new WebAssembly.Memory({ initial: 1, maximum: 2 }), 64);
    expect(blocks.allocate(3 * 65536)).toBe(0);
    expect(blocks.allocate(2 * 65536 - 64)).toBe(64);
    expect(() => blocks.free(128)).toThrow(/not an allocated block/);
  });
});

describe.each(compiledBackends)('%s', (name) => {
  it('holds the same memory after a thousand steps of the same sizes as after one', async () => {
    const backend = await createBackend({ backend: name, numThreads: 2 });
    const weights = backend.upload(Float32Array.from({ length: 61 * 67 }, (_, i) => Math.sin(i)));
    const step = async (): Promise<void> => {
      const a = backend.upload(new Float32Array(59 * 61).fill(0.5));
      const c = backend.allocate(59 * 67);
      backend.gemm({ a, b: weights, c, m: 59, n: 67, k: 61 });
      const d = backend.allocate(59 * 67 + 1000);
      await backend.squaredNorm(c);
      for (const storage of [a, c, d]) backend.release(storage);
    };
    await step();
    const held = backend.bytesAllocated;
    for (let i = 0; i < 1000; i++) await step();
    expect(backend.bytesAllocated).toBe(held);
    backend.release(weights);
    backend.close();
  });

  it('trims what is cached and leaves what is in use', async () => {
    const backend = await createBackend({ backend: name, numThreads: 1 });
    const kept = backend.upload(Float32Array.of(1, 2, 3));
    const held = backend.bytesAllocated;
    backend.release(backend.allocate(100_003));
    expect(backend.bytesAllocated).toBeGreaterThan(held + 400_000);
    backend.trim();
    expect(backend.bytesAllocated).toBe(held);
    expect([...(await backend.read(kept))]).toEqual([1, 2, 3]);
    backend.close();
    expect(() => backend.trim()).toThrow('closed');
  });

  it.runIf(name === 'native' && hasGlibc)('gives small blocks back to the system', async () => {
    const backend = await createBackend({ backend: name, numThreads: 1 });
    // Below the size that the C library maps apart; the last one kept holds the heap's end.
    const storages = Array.from({ length: 3000 }, () => backend.allocate(25_000));
    for (const storage of storages) backend.fill(storage, 1);
    const held = process.memoryUsage.rss();
    for (const storage of storages.slice(0, -1)) backend.release(storage);
    backend.trim();
    expect(held - process.memoryUsage.rss()).toBeGreaterThan(200e6);
    backend.close();
  });

  it('leaves what other storage holds alone when a block is reused', async () => {
    const backend = await createBackend({ backend: name, numThreads: 1 });
    const kept = backend.upload(Float32Array.of(1, 2, 3));
    const freed = backend.upload(Float32Array.of(4, 5, 6));
    backend.release(freed);
    const reused = backend.upload(Float32Array.of(7, 8, 9));
    expect([...(await backend.read(kept))]).toEqual([1, 2, 3]);
    expect([...(await backend.read(reused))]).toEqual([7, 8, 9]);
    backend.close();
  });
});
