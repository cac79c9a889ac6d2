import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TextQueue } from './tail-split.ts';

/** Texts that wait their turn: the next and the last of them in memory, those between in temporary files. */
export class WaitingText implements TextQueue {
  #first: string[] = [];
  #last: string[] = [];
  #lengthOfLast = 0;
  #folder: string | undefined;
  readonly #files: string[] = [];
  #numWritten = 0;

  /** @param blockLength UTF-16 units of a file */
  constructor(private readonly blockLength: number = 2 ** 24) {}

  async push(text: string): Promise<void> {
    this.#last.push(text);
    this.#lengthOfLast += text.length;
    if (this.#lengthOfLast < this.blockLength) return;
    this.#folder ??= await mkdtemp(join(tmpdir(), 'performers-'));
    const file = join(this.#folder, `${this.#numWritten++}.json`);
    await writeFile(file, JSON.stringify(this.#last));
    this.#files.push(file);
    this.#last = [];
    this.#lengthOfLast = 0;
  }

  async shift(): Promise<string | undefined> {
    if (this.#first.length === 0) this.#first = (await this.#nextBlock()).reverse();
    return this.#first.pop();
  }

  async close(): Promise<void> {
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }

  async #nextBlock(): Promise<string[]> {
    const file = this.#files.shift();
    if (file === undefined) {
      const last = this.#last;
      this.#last = [];
      this.#lengthOfLast = 0;
      return last;
    }
    const texts = JSON.parse(await readFile(file, 'utf8')) as string[];
    await rm(file);
    return texts;
  }
}
