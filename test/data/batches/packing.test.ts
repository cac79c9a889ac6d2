import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packSequences } from '../../../src/data/batches/packing.ts';

/** First fit, longest first, by looking at every row. */
function firstFit(lengths: readonly number[], capacity: number): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b] - lengths[a] || a - b);
  const rows: { room: number; sequences: number[] }[] = [];
  for (const i of order) {
    let row = rows.find(({ room }) => room >= lengths[i]);
    if (!row) {
      row = { room: capacity, sequences: [] };
      rows.push(row);
    }
    row.room -= lengths[i];
    row.sequences.push(i);
  }
  return rows.map(({ sequences }) => sequences);
}

function rowsOf(lengths: readonly number[], capacity: number): number[][] {
  const { numRows, order, starts } = packSequences(lengths, capacity);
  expect(starts).toHaveLength(numRows + 1);
  return Array.from({ length: numRows }, (_, row) => [...order.subarray(starts[row], starts[row + 1])]);
}

describe('packSequences', () => {
  const cases = fc.integer({ min: 1, max: 31 }).chain((capacity) =>
    fc.record({
      capacity: fc.constant(capacity),
      lengths: fc.array(fc.integer({ min: 1, max: capacity }), { maxLength: 70 }),
    }),
  );

  it('is first fit, longest first: every sequence once, in rows that hold it', () => {
    fc.assert(
      fc.property(cases, ({ capacity, lengths }) => {
        const rows = rowsOf(lengths, capacity);
        expect(rows).toEqual(firstFit(lengths, capacity));
        expect(rows.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
        const total = lengths.reduce((sum, length) => sum + length, 0);
        for (const row of rows) expect(row.reduce((sum, i) => sum + lengths[i], 0)).toBeLessThanOrEqual(capacity);
        // Two rows that are at most half full would have been one.
        expect(rows.length).toBeLessThanOrEqual(Math.max(1, (2 * total) / capacity + 1));
      }),
      { numRuns: 200 },
    );
  });

  it('refuses lengths that no row takes', () => {
    expect(() => packSequences([3, 8], 7)).toThrow('Sequence 1 has 8 tokens; rows of 7 take from 1 to 7');
    expect(() => packSequences([0], 7)).toThrow('Sequence 0 has 0 tokens');
  });
});
