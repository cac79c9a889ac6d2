import { ConfigurationError } from '../../base/errors.ts';

/**
 * An allocator over a WebAssembly memory: free ranges kept in address order and joined with their neighbours, first
 * fit. Calls are rare, because `compiled/allocator.ts` caches blocks above it.
 */
const PAGE = 65536;
const ALIGNMENT = 64;

interface Range {
  readonly start: number;
  readonly size: number;
}

export class LinearMemory {
  readonly #memory: WebAssembly.Memory;
  readonly #sizes = new Map<number, number>();
  #free: Range[];

  /** Manages everything from `base` on. */
  constructor(memory: WebAssembly.Memory, base: number) {
    this.#memory = memory;
    const start = Math.ceil(base / ALIGNMENT) * ALIGNMENT;
    this.#free = [{ start, size: Math.max(0, memory.buffer.byteLength - start) }];
  }

  /** The address of a block aligned to 64 bytes, or 0 when memory is exhausted. */
  allocate(bytes: number): number {
    const size = Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
    let index = this.#free.findIndex((range) => range.size >= size);
    if (index < 0) {
      if (!this.#grow(size)) return 0;
      index = this.#free.length - 1;
    }
    const { start, size: available } = this.#free[index];
    if (available === size) this.#free.splice(index, 1);
    else this.#free[index] = { start: start + size, size: available - size };
    this.#sizes.set(start, size);
    return start;
  }

  free(address: number): void {
    const size = this.#sizes.get(address);
    if (size === undefined) throw new ConfigurationError(`Address ${address} is not an allocated block.`);
    this.#sizes.delete(address);
    this.#insert({ start: address, size });
  }

  /** Makes the last free range at least `size` bytes long. */
  #grow(size: number): boolean {
    const end = this.#memory.buffer.byteLength;
    const last = this.#free.at(-1);
    const atEnd = last && last.start + last.size === end ? last.size : 0;
    const pages = Math.ceil((size - atEnd) / PAGE);
    try {
      this.#memory.grow(pages);
    } catch {
      return false;
    }
    this.#insert({ start: end, size: pages * PAGE });
    return true;
  }

  #insert(range: Range): void {
    let index = this.#free.findIndex((other) => other.start > range.start);
    if (index < 0) index = this.#free.length;
    let { start, size } = range;
    const next = this.#free[index];
    const joinsNext = next !== undefined && start + size === next.start;
    if (joinsNext) size += next.size;
    const previous = this.#free[index - 1];
    const joinsPrevious = previous !== undefined && previous.start + previous.size === start;
    if (joinsPrevious) {
      start = previous.start;
      size += previous.size;
    }
    this.#free.splice(index - +joinsPrevious, +joinsPrevious + +joinsNext, { start, size });
  }
}
