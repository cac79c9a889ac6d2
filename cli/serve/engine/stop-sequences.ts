/**
 * Cuts text that arrives in pieces before the first stop sequence. Text that may be the beginning of a stop sequence is
 * held back until that is known. Nothing that was given out has to be taken back.
 */
export class StopSequences {
  #held = '';

  constructor(readonly stops: readonly string[]) {}

  /** @returns text that is certain, and whether it ends at a stop sequence: then nothing may follow */
  push(piece: string): { text: string; stopped: boolean } {
    const text = this.#held + piece;
    const starts = this.stops.map((stop) => text.indexOf(stop)).filter((start) => start >= 0);
    if (starts.length > 0) {
      this.#held = '';
      return { text: text.slice(0, Math.min(...starts)), stopped: true };
    }
    const held = Math.max(0, ...this.stops.map((stop) => overlap(text, stop)));
    this.#held = text.slice(text.length - held);
    return { text: text.slice(0, text.length - held), stopped: false };
  }

  /** What was held back, once no more text comes. */
  end(): string {
    const text = this.#held;
    this.#held = '';
    return text;
  }
}

/** Length of the longest end of `text` that is a beginning of `stop`, but not all of it. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length;
  }
  return 0;
}
