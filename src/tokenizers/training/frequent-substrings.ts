import type { WordList } from './word-list.ts';

/** Substrings of words with all their occurrences. */
export interface Substrings {
  /** Where in the bytes of the words occurrences start; each substring has a stretch of this array. */
  readonly positions: Int32Array;
  /**
   * For each substring: its stretch `from … to − 1`, its length in bytes and in characters, and how often it occurs.
   */
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly lengths: readonly number[];
  readonly characters: readonly number[];
  readonly counts: readonly number[];
}

/**
 * All substrings of whole characters, of at least two bytes and at most `maxLength` characters, that occur at least
 * twice. A substring that is always followed by the same byte is left out: that byte would belong to it. In the order
 * of their bytes.
 *
 * The positions at which characters start are sorted by the bytes that follow, from the first byte on. A stretch of
 * positions that agree in their first bytes is a substring. O(bytes · maxLength).
 */
export function frequentSubstrings(words: WordList, maxLength: number): Substrings {
  return new Sorting(words, maxLength).run();
}

const isContinuation = (byte: number) => (byte & 0xc0) === 0x80;

class Sorting {
  private readonly positions: Int32Array;
  private readonly moved: Int32Array;
  /** For the word at each byte: how often it occurs and where it ends. */
  private readonly counts: Float64Array;
  private readonly ends: Int32Array;
  /** By next byte, 0 for the end of the word and else the byte + 1: how many positions; all zero between uses. */
  private readonly sizes = new Int32Array(257);
  private readonly from: number[] = [];
  private readonly to: number[] = [];
  private readonly lengths: number[] = [];
  private readonly characters: number[] = [];
  private readonly totals: number[] = [];

  constructor(
    private readonly words: WordList,
    private readonly maxLength: number,
  ) {
    const { bytes, starts } = words;
    this.positions = Int32Array.from(bytes.keys()).filter((i) => !isContinuation(bytes[i]!));
    this.moved = new Int32Array(this.positions.length);
    this.counts = new Float64Array(bytes.length);
    this.ends = new Int32Array(bytes.length);
    for (let word = 0; word < words.size; word++) {
      this.counts.fill(words.counts[word]!, starts[word], starts[word + 1]);
      this.ends.fill(starts[word + 1]!, starts[word], starts[word + 1]);
    }
  }

  run(): Substrings {
    this.visit(0, this.positions.length, 0, 0);
    const { positions, from, to, lengths, characters, totals: counts } = this;
    return { positions, from, to, lengths, characters, counts };
  }

  /** Goes through the positions `from … to − 1`, which agree in `length` bytes, the start of `characters` characters. */
  private visit(from: number, to: number, length: number, characters: number): void {
    const { positions, sizes, moved, maxLength } = this;
    let total = 0;
    for (let k = from; k < to; k++) total += this.counts[positions[k]!]!;
    if (total < 2) return;
    if (to - from === 1) {
      this.addRest(from, length, characters, total);
      return;
    }
    const branches: number[] = [];
    for (let k = from; k < to; k++) {
      const next = this.next(positions[k]!, length);
      if (sizes[next] === 0) branches.push(next);
      sizes[next]!++;
    }
    branches.sort((a, b) => a - b);
    const ends = branches.map((next) => sizes[next]!);
    let offset = from;
    branches.forEach((next, i) => {
      ends[i]! += offset;
      sizes[next] = offset;
      offset = ends[i]!;
    });
    if (branches.length > 1) {
      for (let k = from; k < to; k++) moved[sizes[this.next(positions[k]!, length)]!++] = positions[k]!;
      positions.set(moved.subarray(from, to), from);
    }
    for (const next of branches) sizes[next] = 0;
    const isWhole = !isContinuation(branches[0]! - 1) || branches[0] === 0;
    if (isWhole && length > 1 && (branches.length > 1 || branches[0] === 0)) {
      this.add(from, to, length, characters, total);
    }
    if (isWhole && characters === maxLength) return;
    branches.forEach((next, i) => {
      if (next > 0) this.visit(i === 0 ? from : ends[i - 1]!, ends[i]!, length + 1, characters + Number(isWhole));
    });
  }

  /** A substring that occurs at one place alone is followed by the rest of its word. */
  private addRest(at: number, length: number, characters: number, total: number): void {
    const { bytes } = this.words;
    const position = this.positions[at]!;
    const end = this.ends[position]!;
    let all = characters;
    for (let i = position + length; i < end; i++) if (!isContinuation(bytes[i]!)) all++;
    if (end - position > 1 && all <= this.maxLength) this.add(at, at + 1, end - position, all, total);
  }

  private add(from: number, to: number, length: number, characters: number, total: number): void {
    this.from.push(from);
    this.to.push(to);
    this.lengths.push(length);
    this.characters.push(characters);
    this.totals.push(total);
  }

  /** What follows `length` bytes from `position`. */
  private next(position: number, length: number): number {
    const at = position + length;
    return at < this.ends[position]! ? this.words.bytes[at]! + 1 : 0;
  }
}
