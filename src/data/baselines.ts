/** What a language model's bits per character are to be compared with. */
import { countCharacters } from './split.ts';
import { PairMap } from './tokenizers/pair-map.ts';

/**
 * Bits per character (Unicode code point) of `heldOut` under a model of order `order` over UTF-8 bytes, whose counts come
 * from `train` alone, as a trained network's weights do.
 *
 * Witten and Bell's interpolation: with n occurrences of a context c, T different bytes after it and the context c′ that
 * is one byte shorter, `p(s | c) = (count(c s) + T·p(s | c′)) / (n + T)`, and `p(s | c) = p(s | c′)` where n = 0. Below
 * the empty context lies the uniform distribution over 256 bytes. Contexts run on from the end of `train`.
 *
 * @param order bytes of context, default 3; 0 counts bytes alone
 * @throws if heldOut is empty or order is not an integer from 0 to 16
 */
export function orderKModel(train: string, heldOut: string, order = 3): number {
  if (!Number.isInteger(order) || order < 0 || order > 16) {
    throw new RangeError(`order is ${order}; use an integer from 0 to 16.`);
  }
  if (heldOut === '') throw new Error('The held-out text is empty; bits per character need at least one character.');
  const encoder = new TextEncoder();
  const model = new ByteModel(order);
  for (const byte of encoder.encode(train)) {
    model.count(byte);
    model.advance(byte);
  }
  let bits = 0;
  for (const byte of encoder.encode(heldOut)) {
    bits -= Math.log2(model.probability(byte));
    model.advance(byte);
  }
  return bits / countCharacters(heldOut);
}

const ROOT = 0;
const NONE = -1;

/** Counts of all byte strings up to length order + 1, in a trie. */
class ByteModel {
  private readonly children = new PairMap();
  /** How often the string of each node occurred. */
  private readonly counts = [0];
  /** Sum of the counts of a node's children, and how many they are. */
  private readonly totals = [0];
  private readonly distinct = [0];
  /** Nodes of the last 0, 1, … order bytes; NONE where that string was not seen in training. */
  private readonly contexts: number[];

  constructor(order: number) {
    this.contexts = [ROOT, ...new Array<number>(order).fill(NONE)];
  }

  /** Counts `byte` after each of the present contexts. */
  count(byte: number): void {
    for (const context of this.contexts) {
      if (context === NONE) continue;
      let node = this.children.get(context, byte);
      if (node === NONE) {
        node = this.counts.length;
        this.children.set(context, byte, node);
        this.counts.push(0);
        this.totals.push(0);
        this.distinct.push(0);
        this.distinct[context]!++;
      }
      this.counts[node]!++;
      this.totals[context]!++;
    }
  }

  probability(byte: number): number {
    let probability = 1 / 256;
    for (const context of this.contexts) {
      if (context === NONE || this.totals[context] === 0) continue;
      const node = this.children.get(context, byte);
      const count = node === NONE ? 0 : this.counts[node]!;
      const distinct = this.distinct[context]!;
      probability = (count + distinct * probability) / (this.totals[context]! + distinct);
    }
    return probability;
  }

  advance(byte: number): void {
    const { contexts } = this;
    for (let k = contexts.length - 1; k > 0; k--) {
      const shorter = contexts[k - 1]!;
      contexts[k] = shorter === NONE ? NONE : this.children.get(shorter, byte);
    }
  }
}
