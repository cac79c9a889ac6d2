import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { explainWriteError } from '../base/write-errors.ts';

/** One line of metrics.jsonl. */
type MetricsLine = { readonly step: number } & Readonly<Record<string, number | string | null>>;

/**
 * Appends metrics to a JSONL file. Opening it drops lines of steps after `step` and a line cut short by a killed
 * writer, so that a resumed run doubles nothing.
 */
export class MetricsLog {
  readonly #descriptor: number;
  #end: number;
  #last: MetricsLine | undefined;

  /**
   * @param step completed updates that the run continues from; 0 starts an empty file
   * @throws FileError when the file cannot be written.
   */
  constructor(
    readonly path: string,
    step: number,
  ) {
    try {
      mkdirSync(dirname(path), { recursive: true });
      this.#descriptor = openSync(path, 'a+');
      const kept = linesUpTo(readFileSync(path), step);
      this.#end = kept.length;
      this.#last = kept.last;
      ftruncateSync(this.#descriptor, this.#end);
    } catch (error) {
      throw explainWriteError(error, path);
    }
  }

  /** The line written last, if there is one. */
  get last(): MetricsLine | undefined {
    return this.#last;
  }

  append(line: MetricsLine): void {
    const bytes = new TextEncoder().encode(`${JSON.stringify(line)}\n`);
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(this.#descriptor, bytes, written);
      this.#end += bytes.length;
      this.#last = line;
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

/** The whole lines of steps up to `step` at the start of the file: their bytes, and the last of them. */
function linesUpTo(bytes: Uint8Array, step: number): { length: number; last: MetricsLine | undefined } {
  let kept = 0;
  let last: MetricsLine | undefined;
  for (let start = 0; step > 0 && start < bytes.length; ) {
    const end = bytes.indexOf(0x0a, start);
    if (end < 0) break;
    let line: MetricsLine;
    try {
      line = JSON.parse(new TextDecoder().decode(bytes.subarray(start, end))) as MetricsLine;
    } catch {
      break;
    }
    if (!(line.step <= step)) break;
    last = line;
    start = end + 1;
    kept = start;
  }
  return { length: kept, last };
}
