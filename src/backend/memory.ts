/**
 * A caching allocator over a kernel module. Training allocates the same sizes at every step, so freed blocks are kept
 * by size class and handed out again: memory stays flat and the system allocator is left alone.
 */
import type { KernelModule } from './module.ts';

const SMALLEST_CLASS = 64;

/** The size class of a request: eight classes per power of two, so that at most an eighth is wasted. */
export function sizeClass(bytes: number): number {
  if (bytes <= SMALLEST_CLASS) return SMALLEST_CLASS;
  const granule = Math.max(SMALLEST_CLASS, 2 ** (Math.floor(Math.log2(bytes)) - 3));
  return Math.ceil(bytes / granule) * granule;
}

export class CachingAllocator {
  readonly #module: KernelModule;
  readonly #free = new Map<number, number[]>();
  readonly #blocks = new Set<number>();
  #bytesHeld = 0;

  constructor(module: KernelModule) {
    this.#module = module;
  }

  /** Bytes taken from the module, cached free blocks included. */
  get bytesHeld(): number {
    return this.#bytesHeld;
  }

  /**
   * The address of a block of at least `bytes` bytes.
   * @throws when memory is exhausted even after giving cached blocks back.
   */
  allocate(bytes: number): number {
    const size = sizeClass(bytes);
    const cached = this.#free.get(size)?.pop();
    if (cached !== undefined) return cached;
    let address = this.#module.allocate(size);
    if (address === 0) {
      this.trim();
      address = this.#module.allocate(size);
    }
    if (address === 0) {
      const held = (this.#bytesHeld / 2 ** 20).toFixed(0);
      throw new Error(
        `The ${this.#module.name} backend cannot allocate ${bytes} bytes on top of the ${held} MiB it holds: ` +
          'use a smaller batch or sequence length.',
      );
    }
    this.#bytesHeld += size;
    this.#blocks.add(address);
    return address;
  }

  /** Keeps a block of `bytes` requested bytes for reuse. */
  release(address: number, bytes: number): void {
    const size = sizeClass(bytes);
    const blocks = this.#free.get(size);
    if (blocks) blocks.push(address);
    else this.#free.set(size, [address]);
  }

  /** Gives all cached blocks back to the module. */
  trim(): void {
    for (const [size, blocks] of this.#free) {
      for (const address of blocks) {
        this.#module.free(address);
        this.#blocks.delete(address);
      }
      this.#bytesHeld -= size * blocks.length;
    }
    this.#free.clear();
    this.#module.trim?.();
  }

  /** Gives every block back, used or not. */
  close(): void {
    for (const address of this.#blocks) this.#module.free(address);
    this.#blocks.clear();
    this.#free.clear();
    this.#bytesHeld = 0;
  }
}
