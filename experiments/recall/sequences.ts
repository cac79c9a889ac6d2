/** Multi-query associative recall (Arora et al. 2023, "Zoology"): pairs of a key and a value, then keys whose values are asked. */
import type { Batch } from '../../src/entries/data.ts';
import type { Random } from '../../src/entries/performers.ts';

/** Tokens: 0 fills gaps, then come the keys, then the values. */
export interface Alphabet {
  readonly keys: number;
  readonly values: number;
}

export interface RecallSize {
  readonly pairs: number;
  readonly length: number;
  /** Pairs that are asked. Default: each once. */
  readonly questions?: number | undefined;
  /** Smallest distance of a question from the last pair. Default 2, the next position after the pairs. */
  readonly distance?: number | undefined;
}

export const vocabSizeOf = ({ keys, values }: Alphabet) => 1 + keys + values;

/** Zoology's exponent of the power law: gaps of n slots have a weight of n^(−0.99). */
const gapPower = 0.99;

/**
 * Sequences in which a position of a question has the value as its target, and no other position has a target. Keys of a
 * sequence differ, values may repeat. Questions come in any order, at gaps from the pairs that follow a power law.
 *
 * @param size room for each question takes two positions, as in Zoology
 */
export function recallBatch(size: RecallSize, alphabet: Alphabet, batchSize: number, random: Random): Batch {
  const { pairs, length, questions = pairs, distance = 2 } = size;
  const inputs = new Int32Array(batchSize * length);
  const targets = new Int32Array(batchSize * length).fill(-1);
  const firstSlot = Math.ceil(distance / 2) - 1;
  const numSlots = Math.floor(length / 2) - pairs - firstSlot;
  for (let row = 0; row < batchSize; row++) {
    const start = row * length;
    const keys = someOf(alphabet.keys, pairs, random).map((key) => 1 + key);
    const values = keys.map(() => 1 + alphabet.keys + random.integer(alphabet.values));
    keys.forEach((key, i) => {
      inputs.set([key, values[i]!], start + 2 * i);
    });
    const slots = gaps(numSlots, questions, random);
    someOf(pairs, questions, random).forEach((pair, i) => {
      const position = start + 2 * (pairs + firstSlot + slots[i]!);
      inputs[position] = keys[pair]!;
      targets[position] = values[pair]!;
    });
  }
  return { inputs, targets, batchSize, length };
}

/** `count` of the integers below `below`, in random order. */
function someOf(below: number, count: number, random: Random): number[] {
  const all = Array.from({ length: below }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const j = i + random.integer(below - i);
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all.slice(0, count);
}

/** `count` of `numSlots` slots by their weights, without repetition (Efraimidis and Spirakis 2006). */
function gaps(numSlots: number, count: number, random: Random): number[] {
  return Array.from({ length: numSlots }, (_, slot) => ({
    slot,
    rank: Math.log(1 - random.uniform()) * (slot + 1) ** gapPower,
  }))
    .sort((a, b) => b.rank - a.rank)
    .slice(0, count)
    .map(({ slot }) => slot);
}
