/**
 * A caching allocator over a kernel module. Training allocates much the same sizes at every step. Freed blocks are
 * therefore kept by size class and handed out again: memory stays flat and the system allocator is left alone. Sizes
 * that follow the data, such as the number of sequences in a batch, also take a large block of up to twice their own.
 * They also outgrow a block of down to half their size. Otherwise every class would come to hold blocks for the most it
 * was ever asked for.
 */
import { ConfigurationError, OutOfMemoryError } from '../../base/errors.ts';
import type { KernelModule } from './module.ts';

const SMALLEST_CLASS = 64;
/** Blocks from this size on are worth a search, and must not be kept in many sizes. */
const LARGE = 2 ** 20;

/** The size class of a request: eight classes per power of two, so that at most an eighth is wasted. */
export function sizeClass(bytes: number): number {
  if (bytes <= SMALLEST_CLASS) return SMALLEST_CLASS;
  const granule = Math.max(SMALLEST_CLASS, 2 ** (Math.floor(Math.log2(bytes)) - 3));
  return Math.ceil(bytes / granule) * granule;
}

export class CachingAllocator {
  readonly #module: KernelModule;
  readonly #free = new Map<number, number[]>();
  /** Bytes of every block, by its address. */
  readonly #blocks = new Map<number, number>();
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
   * @throws OutOfMemoryError when memory is exhausted even after giving cached blocks back.
   */
  allocate(bytes: number): number {
    const size = sizeClass(bytes);
    const cached = this.#free.get(size)?.pop() ?? (size >= LARGE ? this.#popLarger(size) : undefined);
    if (cached !== undefined) return cached;
    if (size >= LARGE) this.#giveBackSmaller(size);
    let address = this.#module.allocate(size);
    if (address === 0) {
      this.trim();
      address = this.#module.allocate(size);
    }
    if (address === 0) {
      const held = (this.#bytesHeld / 2 ** 20).toFixed(0);
      throw new OutOfMemoryError(
        `The ${this.#module.name} backend cannot allocate ${bytes} bytes on top of the ${held} MiB it holds: ` +
          'use a smaller batch or sequence length.',
      );
    }
    this.#bytesHeld += size;
    this.#blocks.set(address, size);
    return address;
  }

  /** The smallest free block that is larger than `size`, but no more than twice as large. */
  #popLarger(size: number): number | undefined {
    let best = Number.POSITIVE_INFINITY;
    for (const [other, blocks] of this.#free) {
      if (blocks.length > 0 && other > size && other <= 2 * size && other < best) best = other;
    }
    return this.#free.get(best)?.pop();
  }

  /** Frees the largest free block that is smaller than `size`, but no less than half as large. */
  #giveBackSmaller(size: number): void {
    let best = 0;
    for (const [other, blocks] of this.#free) {
      if (blocks.length > 0 && other < size && 2 * other >= size && other > best) best = other;
    }
    const address = this.#free.get(best)?.pop();
    if (address === undefined) return;
    this.#module.free(address);
    this.#blocks.delete(address);
    this.#bytesHeld -= best;
  }

  /** Keeps a block for reuse. */
  release(address: number): void {
    const size = this.#blocks.get(address);
    if (size === undefined) throw new ConfigurationError(`Address ${address} is not that of a block.`);
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
    for (const address of this.#blocks.keys()) this.#module.free(address);
    this.#blocks.clear();
    this.#free.clear();
    this.#bytesHeld = 0;
  }
}
