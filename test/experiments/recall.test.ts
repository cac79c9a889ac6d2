/** Sequences of the experiment `recall`: pairs first, each question the key of one of them, its value the only target. */
import { describe, expect, it } from 'vitest';
import { type RecallSize, recallBatch } from '../../experiments/recall/sequences.ts';
import { Random } from '../../src/entries/performers.ts';

const alphabet = { keys: 13, values: 7 };

/** Positions that have a target, of each row. */
function questionsOf(size: RecallSize, rows: number, seed = 5): number[][] {
  const { inputs, targets, length } = recallBatch(size, alphabet, rows, new Random(seed, 1));
  expect([inputs.length, targets.length, length]).toEqual([rows * size.length, rows * size.length, size.length]);
  return Array.from({ length: rows }, (_, row) => {
    const tokens = inputs.subarray(row * length, (row + 1) * length);
    const wanted = targets.subarray(row * length, (row + 1) * length);
    const pairs = new Map(Array.from({ length: size.pairs }, (_, i) => [tokens[2 * i]!, tokens[2 * i + 1]!]));
    expect(pairs.size).toBe(size.pairs);
    for (const [key, value] of pairs) {
      expect(key >= 1 && key <= 13, `${key}`).toBe(true);
      expect(value >= 14 && value <= 20, `${value}`).toBe(true);
    }
    const asked = [...wanted.keys()].filter((position) => wanted[position]! >= 0);
    for (const position of asked) expect(wanted[position]).toBe(pairs.get(tokens[position]!));
    expect(new Set(asked.map((position) => tokens[position])).size).toBe(asked.length);
    // Everything else is a gap.
    const rest = [...tokens.keys()].filter((position) => position >= 2 * size.pairs && !asked.includes(position));
    expect(rest.every((position) => tokens[position] === 0)).toBe(true);
    return asked;
  });
}

describe('sequences of recall', () => {
  it('ask each pair once, behind the pairs', () => {
    for (const asked of questionsOf({ pairs: 5, length: 31 }, 17)) {
      expect(asked).toHaveLength(5);
      expect(Math.min(...asked)).toBeGreaterThanOrEqual(10);
    }
    // Without room to spare every slot has a question.
    expect(questionsOf({ pairs: 3, length: 12 }, 2)).toEqual([
      [6, 8, 10],
      [6, 8, 10],
    ]);
  });

  it('ask one pair from a distance on, any pair and any place', () => {
    const size = { pairs: 4, length: 41, questions: 1, distance: 11 };
    const rows = questionsOf(size, 400);
    const places = new Set(rows.flat());
    // From 6 + 11 on, in slots of two.
    expect([...places].sort((a, b) => a - b)).toEqual([18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38]);
    expect(rows.every(({ length }) => length === 1)).toBe(true);
    const { inputs, targets } = recallBatch(size, alphabet, 400, new Random(5, 1));
    const pairs = rows.map(([position], row) =>
      inputs.subarray(row * 41, row * 41 + 8).indexOf(inputs[row * 41 + position!]!),
    );
    // A quarter of 400 each, with a deviation of 8.7.
    for (const place of [0, 2, 4, 6]) {
      expect(Math.abs(pairs.filter((found) => found === place).length - 100)).toBeLessThan(52);
    }
    expect(targets.filter((target) => target >= 0)).toHaveLength(400);
  });

  it('have near questions more often than far ones, by a power law', () => {
    const gaps = questionsOf({ pairs: 1, length: 18 }, 1500).map(([position]) => (position! - 2) / 2);
    const weights = Array.from({ length: 8 }, (_, gap) => (gap + 1) ** -0.99);
    const total = weights.reduce((a, b) => a + b);
    for (const [gap, weight] of weights.entries()) {
      const expected = weight / total;
      const found = gaps.filter((each) => each === gap).length / gaps.length;
      // Six standard deviations: failure below 1e-6.
      expect(Math.abs(found - expected)).toBeLessThan(6 * Math.sqrt(expected / gaps.length));
    }
  });

  it('follow from the seed alone', () => {
    const of = (seed: number) => recallBatch({ pairs: 4, length: 20 }, alphabet, 3, new Random(seed, 1));
    expect(of(1)).toEqual(of(1));
    expect(of(1).inputs).not.toEqual(of(2).inputs);
  });
});
