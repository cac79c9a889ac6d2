import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { explainWriteError } from './atomic.ts';

/** One line of metrics.jsonl. */
export type MetricsLine = { readonly step: number } & Readonly<Record<string, number | string | null>>;

/**
 * Appends metrics to a JSONL file. Opening it drops lines of steps after `step` and a line cut short by a killed
 * writer, so that a resumed run doubles nothing.
 */
export class MetricsLog {
  readonly #descriptor: number;
  #end: number;

  /**
   * @param step completed updates that the run continues from; 0 starts an empty file
   * @throws one sentence when the file cannot be written.
   */
  constructor(
    readonly path: string,
    step: number,
  ) {
    try {
      mkdirSync(dirname(path), { recursive: true });
      this.#descriptor = openSync(path, 'a+');
      this.#end = lengthUpTo(readFileSync(path), step);
      ftruncateSync(this.#descriptor, this.#end);
    } catch (error) {
      throw explainWriteError(error, path);
    }
  }

  append(line: MetricsLine): void {
    const bytes = new TextEncoder().encode(`${JSON.stringify(line)}\n`);
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(this.#descriptor, bytes, written);
      this.#end += bytes.length;
    } catch (error) {
      ftruncateSync(this.#descriptor, this.#end); // no half line on a full disk
      throw explainWriteError(error, this.path);
    }
  }

  /** Waits until every line is on the disk. */
  sync(): void {
    fsyncSync(this.#descriptor);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** Bytes of the whole lines of steps up to `step` at the start of the file. */
function lengthUpTo(bytes: Uint8Array, step: number): number {
  let kept = 0;
  for (let start = 0; step > 0 && start < bytes.length; ) {
    const end = bytes.indexOf(0x0a, start);
    if (end < 0) break;
    let line: unknown;
    try {
      line = JSON.parse(new TextDecoder().decode(bytes.subarray(start, end)));
    } catch {
      break;
    }
    if (!((line as MetricsLine).step <= step)) break;
    start = end + 1;
    kept = start;
  }
  return kept;
}
