import { BYTE_ORDER } from '../byte-level/byte-level.ts';
import type { Substrings } from './frequent-substrings.ts';
import type { WordList } from './word-list.ts';

/**
 * All ways to write each of many words with tokens: from every byte of a word an edge for each token that starts there.
 * Tokens 0 to 255 are the bytes, in GPT-2's order; they stay, so every word can be written. Memory: four bytes an edge.
 */
export class WordLattices {
  /** Length of each token in bytes. */
  private lengths: Int32Array;
  /** Where each token is, once. */
  private examples: Int32Array;
  /** Edges from byte `i`, the shortest first, are `first[i] … first[i + 1] − 1`. */
  private readonly first: Int32Array;
  private readonly edges: Int32Array;
  /** Most edges of a word. */
  private mostEdges = 0;
  /** By byte, and one more: log-probability of the rest of the word. */
  private readonly rest: Float64Array;
  private readonly chosen: Int32Array;

  /** @param seeds which of the substrings become tokens, ascending: their ids are 256, 257, … */
  constructor(
    private readonly words: WordList,
    { positions, from, to, lengths }: Substrings,
    seeds: Int32Array,
  ) {
    const { bytes } = words;
    this.lengths = Int32Array.from([...new Array(256).fill(1), ...Array.from(seeds, (seed) => lengths[seed]!)]);
    this.examples = Int32Array.from([
      ...new Array(256).fill(0),
      ...Array.from(seeds, (seed) => positions[from[seed]!]!),
    ]);
    this.first = new Int32Array(bytes.length + 1);
    const numEdges = new Int32Array(bytes.length).fill(1);
    for (const seed of seeds) for (let k = from[seed]!; k < to[seed]!; k++) numEdges[positions[k]!]!++;
    numEdges.forEach((count, i) => {
      this.first[i + 1] = this.first[i]! + count;
    });
    this.edges = new Int32Array(this.first[bytes.length]!);
    const idOfByte = new Int32Array(256);
    BYTE_ORDER.forEach((byte, id) => {
      idOfByte[byte] = id;
    });
    const next = this.first.slice(0, bytes.length);
    bytes.forEach((byte, i) => {
      this.edges[next[i]!++] = idOfByte[byte]!;
    });
    seeds.forEach((seed, i) => {
      for (let k = from[seed]!; k < to[seed]!; k++) this.edges[next[positions[k]!]!++] = 256 + i;
    });
    for (let word = 0; word < words.size; word++) {
      const count = this.first[words.starts[word + 1]!]! - this.first[words.starts[word]!]!;
      this.mostEdges = Math.max(this.mostEdges, count);
    }
    this.rest = new Float64Array(bytes.length + 1);
    this.chosen = new Int32Array(bytes.length);
  }

  /** Number of tokens. */
  get size(): number {
    return this.lengths.length;
  }

  /** UTF-8 of a token. */
  bytesOf(token: number): Uint8Array {
    if (token < 256) return Uint8Array.of(BYTE_ORDER[token]!);
    const start = this.examples[token]!;
    return this.words.bytes.slice(start, start + this.lengths[token]!);
  }

  /**
   * Expected number of uses of each token over all ways to write all words, and the log-likelihood of the words, nats.
   *
   * Backwards, `rest[i] = log Σ exp(score + rest[end])` over the edges from i; forwards, the probability of being at i is
   * passed on along the edges. Only conditional probabilities are multiplied, so nothing underflows.
   *
   * @param scores log-probability of each token
   */
  expectedCounts(scores: Float64Array): { counts: Float64Array; logLikelihood: number } {
    const { words, first, edges, lengths, rest } = this;
    const counts = new Float64Array(this.size);
    const shares = new Float64Array(this.mostEdges);
    const visits = new Float64Array(words.bytes.length + 1);
    let logLikelihood = 0;
    for (let word = 0; word < words.size; word++) {
      const start = words.starts[word]!;
      const end = words.starts[word + 1]!;
      const base = first[start]!;
      rest[end] = 0;
      for (let i = end - 1; i >= start; i--) {
        let largest = -Infinity;
        for (let edge = first[i]!; edge < first[i + 1]!; edge++) {
          const token = edges[edge]!;
          const value = scores[token]! + rest[i + lengths[token]!]!;
          shares[edge - base] = value;
          if (value > largest) largest = value;
        }
        let sum = 0;
        for (let edge = first[i]!; edge < first[i + 1]!; edge++) {
          const share = Math.exp(shares[edge - base]! - largest);
          shares[edge - base] = share;
          sum += share;
        }
        rest[i] = largest + Math.log(sum);
        for (let edge = first[i]!; edge < first[i + 1]!; edge++) shares[edge - base]! /= sum;
      }
      logLikelihood += words.counts[word]! * rest[start]!;
      visits.fill(0, start, end + 1);
      visits[start] = words.counts[word]!;
      for (let i = start; i < end; i++) {
        const here = visits[i]!;
        if (here === 0) continue;
        for (let edge = first[i]!; edge < first[i + 1]!; edge++) {
          const token = edges[edge]!;
          const through = here * shares[edge - base]!;
          counts[token]! += through;
          visits[i + lengths[token]!]! += through;
        }
      }
    }
    return { counts, logLikelihood };
  }

  /** Number of uses of each token where every word is written in the likeliest way. */
  bestCounts(scores: Float64Array): Float64Array {
    const { words, lengths, chosen } = this;
    const counts = new Float64Array(this.size);
    for (let word = 0; word < words.size; word++) {
      const end = words.starts[word + 1]!;
      this.choose(words.starts[word]!, end, scores, -1);
      for (let i = words.starts[word]!; i < end; i += lengths[chosen[i]!]!) counts[chosen[i]!]! += words.counts[word]!;
    }
    return counts;
  }

  /** The likeliest way to write a token of several bytes with others. */
  alternative(token: number, scores: Float64Array): number[] {
    const { lengths, chosen } = this;
    const start = this.examples[token]!;
    const end = start + lengths[token]!;
    this.choose(start, end, scores, token);
    const tokens: number[] = [];
    for (let i = start; i < end; i += lengths[chosen[i]!]!) tokens.push(chosen[i]!);
    return tokens;
  }

  /** Keeps only these tokens, ascending, and numbers them anew. They must include the bytes. */
  keep(tokens: Int32Array): void {
    const { first, edges } = this;
    const renamed = new Int32Array(this.size).fill(-1);
    tokens.forEach((token, i) => {
      renamed[token] = i;
    });
    let count = 0;
    let edge = 0;
    for (let i = 0; i < this.words.bytes.length; i++) {
      const end = first[i + 1]!;
      first[i] = count;
      for (; edge < end; edge++) {
        const token = renamed[edges[edge]!]!;
        if (token !== -1) edges[count++] = token;
      }
    }
    first[this.words.bytes.length] = count;
    this.lengths = tokens.map((token) => this.lengths[token]!);
    this.examples = tokens.map((token) => this.examples[token]!);
  }

  /** Sets `chosen` along the likeliest way from `start` to `end`, without the token `avoided`. */
  private choose(start: number, end: number, scores: Float64Array, avoided: number): void {
    const { first, edges, lengths, rest, chosen } = this;
    rest[end] = 0;
    for (let i = end - 1; i >= start; i--) {
      let best = -Infinity;
      for (let edge = first[i]!; edge < first[i + 1]!; edge++) {
        const token = edges[edge]!;
        const next = i + lengths[token]!;
        if (next > end || token === avoided) continue;
        const value = scores[token]! + rest[next]!;
        if (value > best) {
          best = value;
          chosen[i] = token;
        }
      }
      rest[i] = best;
    }
  }
}
