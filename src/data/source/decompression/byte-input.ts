import { DataError } from '../../../base/errors.ts';

/** The bytes of a stream. In memory are as many as are asked for, and the rest of one chunk. */
export class Input {
  #buffer = new Uint8Array(1 << 16);
  #start = 0;
  #end = 0;
  #isOver = false;
  readonly #chunks: AsyncIterator<Uint8Array>;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** What is in memory and not skipped. Valid until the next `fill`. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** Whether the stream has no bytes beyond {@link bytes}. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Sees to it that `count` bytes are in memory, or all that are left. @returns how many are */
  async fill(count: number): Promise<number> {
    while (this.#end - this.#start < count && !this.#isOver) {
      const { value, done } = await this.#chunks.next();
      if (done) this.#isOver = true;
      else this.#append(value);
    }
    return this.#end - this.#start;
  }

  /** @throws if the stream ends before `count` bytes */
  async need(count: number): Promise<Uint8Array> {
    if ((await this.fill(count)) < count) throw cutShort();
    return this.bytes;
  }

  /** Passes over bytes, which need not be in memory. @throws if the stream ends before */
  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      const available = await this.fill(1);
      if (available === 0) throw cutShort();
      const step = Math.min(available, left);
      this.#start += step;
      left -= step;
    }
  }

  /** Ends the stream before its end. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  #append(chunk: Uint8Array): void {
    const length = this.#end - this.#start;
    const kept = this.bytes;
    if (length + chunk.length > this.#buffer.length) this.#buffer = new Uint8Array(2 * (length + chunk.length));
    this.#buffer.set(kept, 0);
    this.#buffer.set(chunk, length);
    this.#start = 0;
    this.#end = length + chunk.length;
  }
}

export const cutShort = () => new DataError('the compressed data end before their end');
