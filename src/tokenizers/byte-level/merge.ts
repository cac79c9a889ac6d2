import type { PairMap } from '../training/pair-map.ts';

/** Above this length a heap is faster than looking through all pairs. */
const LONGEST_SCANNED = 48;

/**
 * Merges neighbours until no pair is left that `ranks` knows: always the pair of lowest rank, the leftmost first.
 *
 * @param symbols ids, overwritten
 * @param ranks rank of a pair
 * @param merged id that the pair of each rank becomes
 */
export function mergePairs(symbols: Int32Array, ranks: PairMap, merged: Int32Array): Int32Array {
  return symbols.length <= LONGEST_SCANNED ? mergeByScan(symbols, ranks, merged) : mergeByHeap(symbols, ranks, merged);
}

/** {@link mergePairs} in O(n²), without allocation. */
export function mergeByScan(symbols: Int32Array, ranks: PairMap, merged: Int32Array): Int32Array {
  let length = symbols.length;
  while (length > 1) {
    let best = -1;
    let bestRank = -1;
    for (let i = 0; i + 1 < length; i++) {
      const rank = ranks.get(symbols[i]!, symbols[i + 1]!);
      if (rank !== -1 && (best === -1 || rank < bestRank)) {
        best = i;
        bestRank = rank;
      }
    }
    if (best === -1) break;
    symbols[best] = merged[bestRank]!;
    symbols.copyWithin(best + 1, best + 2, length);
    length--;
  }
  return symbols.slice(0, length);
}

/** {@link mergePairs} in O(n log n). */
export function mergeByHeap(symbols: Int32Array, ranks: PairMap, merged: Int32Array): Int32Array {
  const length = symbols.length;
  // Position before and after, and rank of the pair that starts here; −1 for no pair.
  const previous = Int32Array.from(symbols, (_, i) => i - 1);
  const next = Int32Array.from(symbols, (_, i) => (i + 1 < length ? i + 1 : -1));
  const rankAt = new Int32Array(length).fill(-1);
  // rank · length + position: ordered by rank, then from the left.
  const heap: number[] = [];
  const offer = (i: number) => {
    const rank = next[i] === -1 ? -1 : ranks.get(symbols[i]!, symbols[next[i]!]!);
    rankAt[i] = rank;
    if (rank !== -1) pushKey(heap, rank * length + i);
  };
  for (let i = 0; i < length; i++) offer(i);
  while (heap.length > 0) {
    const key = popKey(heap);
    const i = key % length;
    const rank = (key - i) / length;
    if (rankAt[i] !== rank) continue;
    const gone = next[i]!;
    symbols[i] = merged[rank]!;
    rankAt[gone] = -1;
    next[i] = next[gone]!;
    if (next[i] !== -1) previous[next[i]!] = i;
    offer(i);
    if (previous[i] !== -1) offer(previous[i]!);
  }
  let count = 0;
  for (let i = length === 0 ? -1 : 0; i !== -1; i = next[i]!) symbols[count++] = symbols[i]!;
  return symbols.slice(0, count);
}

function pushKey(heap: number[], key: number): void {
  let i = heap.length;
  heap.push(key);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (heap[parent]! <= key) break;
    heap[i] = heap[parent]!;
    i = parent;
  }
  heap[i] = key;
}

function popKey(heap: number[]): number {
  const top = heap[0]!;
  const key = heap.pop()!;
  const length = heap.length;
  if (length === 0) return top;
  let i = 0;
  while (true) {
    let child = 2 * i + 1;
    if (child >= length) break;
    if (child + 1 < length && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= key) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = key;
  return top;
}
