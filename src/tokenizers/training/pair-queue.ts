import { PairMap } from './pair-map.ts';

/**
 * Counts of pairs of symbols with a queue of the most frequent. Ties go to the smaller left id, then the smaller right
 * id, as in Hugging Face's trainer.
 */
export class PairQueue {
  /** For each pair, in the order in which pairs were first seen. */
  readonly lefts: number[] = [];
  readonly rights: number[] = [];
  readonly counts: number[] = [];
  private readonly indices = new PairMap();
  /** A heap of (pair, count when pushed): a count that has since changed is noticed when the entry comes up. */
  private readonly heapPairs: number[] = [];
  private readonly heapCounts: number[] = [];

  /** Index of a pair, made on first sight. */
  index(left: number, right: number): number {
    let pair = this.indices.get(left, right);
    if (pair === -1) {
      pair = this.counts.length;
      this.indices.set(left, right, pair);
      this.lefts.push(left);
      this.rights.push(right);
      this.counts.push(0);
    }
    return pair;
  }

  /** Call this when the count of a pair has grown. */
  push(pair: number): void {
    const { heapPairs, heapCounts } = this;
    const count = this.counts[pair]!;
    let i = heapPairs.length;
    heapPairs.push(pair);
    heapCounts.push(count);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.isBefore(pair, count, heapPairs[parent]!, heapCounts[parent]!)) break;
      heapPairs[i] = heapPairs[parent]!;
      heapCounts[i] = heapCounts[parent]!;
      i = parent;
    }
    heapPairs[i] = pair;
    heapCounts[i] = count;
  }

  /** Removes the most frequent pair with a positive count; −1 if no pair is left. */
  pop(): number {
    while (this.heapPairs.length > 0) {
      const pair = this.heapPairs[0]!;
      const count = this.heapCounts[0]!;
      this.removeFirst();
      if (count === this.counts[pair]!) {
        if (count > 0) return pair;
      } else if (this.counts[pair]! > 0 && this.counts[pair]! < count) {
        this.push(pair);
      }
    }
    return -1;
  }

  private removeFirst(): void {
    const { heapPairs, heapCounts } = this;
    const pair = heapPairs.pop()!;
    const count = heapCounts.pop()!;
    const length = heapPairs.length;
    if (length === 0) return;
    let i = 0;
    while (true) {
      let child = 2 * i + 1;
      if (child >= length) break;
      if (
        child + 1 < length &&
        this.isBefore(heapPairs[child + 1]!, heapCounts[child + 1]!, heapPairs[child]!, heapCounts[child]!)
      ) {
        child++;
      }
      if (!this.isBefore(heapPairs[child]!, heapCounts[child]!, pair, count)) break;
      heapPairs[i] = heapPairs[child]!;
      heapCounts[i] = heapCounts[child]!;
      i = child;
    }
    heapPairs[i] = pair;
    heapCounts[i] = count;
  }

  private isBefore(a: number, countA: number, b: number, countB: number): boolean {
    if (countA !== countB) return countA > countB;
    const { lefts, rights } = this;
    return lefts[a] !== lefts[b] ? lefts[a]! < lefts[b]! : rights[a]! < rights[b]!;
  }
}
