/** Distinct words, all bytes in one array. */
export class WordList {
  readonly size: number;
  /** UTF-8 of all words, one after the other. */
  readonly bytes: Uint8Array;
  /** Where each word starts, and last where the bytes end: `[size + 1]`. */
  readonly starts: Int32Array;
  /** How often each word occurs. */
  readonly counts: Float64Array;

  constructor(words: ReadonlyMap<string, number>) {
    const encoder = new TextEncoder();
    const encoded = Array.from(words.keys(), (word) => encoder.encode(word));
    this.size = encoded.length;
    this.counts = Float64Array.from(words.values());
    this.starts = new Int32Array(this.size + 1);
    encoded.forEach((word, i) => {
      this.starts[i + 1] = this.starts[i]! + word.length;
    });
    this.bytes = new Uint8Array(this.starts[this.size]!);
    encoded.forEach((word, i) => {
      this.bytes.set(word, this.starts[i]);
    });
  }
}
