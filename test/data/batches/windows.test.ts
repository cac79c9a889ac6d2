import { describe, expect, test } from 'vitest';
import { evaluationWindows, trainingWindows } from '../../../src/data/batches/windows.ts';
import type { TokenSplit } from '../../../src/data/tokens/token-store.ts';

/** Tokens 0, 1, 2, …: a token says where it stands. */
function counting(length: number): TokenSplit {
  const tokens = Int32Array.from({ length }, (_, i) => i);
  return {
    length,
    characters: length,
    bytes: length,
    documents: [0],
    read: async (offset, count) => {
      if (offset < 0 || offset + count > length) throw new RangeError('outside');
      return tokens.slice(offset, offset + count);
    },
  };
}

/** Starts of the windows of an epoch, checked to be windows. */
async function startsOfEpoch(split: TokenSplit, length: number, seed: number, epoch: number): Promise<number[]> {
  const windows = trainingWindows(split, { batchSize: 1, length, seed });
  const starts: number[] = [];
  for (let i = 0; i < windows.windowsPerEpoch; i++) {
    const { inputs, targets, batchSize } = await windows.batchAt(epoch * windows.windowsPerEpoch + i);
    const start = inputs[0]!;
    expect(batchSize).toBe(1);
    expect([...inputs]).toEqual(Array.from({ length }, (_, j) => start + j));
    expect([...targets]).toEqual(Array.from({ length }, (_, j) => start + j + 1));
    starts.push(start);
  }
  return starts;
}

describe('trainingWindows', () => {
  test.each([
    [8, 7],
    [14, 7],
    [15, 7],
    [22, 7],
    [500, 7],
    [501, 1],
    [1009, 13],
  ])('of %i tokens, length %i: every epoch visits its windows once', async (total, length) => {
    const split = counting(total);
    const offsets = new Set<number>();
    const orders = new Set<string>();
    for (let epoch = 0; epoch < 12; epoch++) {
      const starts = await startsOfEpoch(split, length, 5, epoch);
      const sorted = starts.toSorted((a, b) => a - b);
      const offset = sorted[0]!;
      expect(sorted).toEqual(starts.map((_, i) => offset + i * length));
      expect(total - (starts.length * length + 1)).toBeLessThan(2 * length);
      offsets.add(offset);
      orders.add(starts.map((start) => start - offset).join());
    }
    if (total > 400) {
      expect(offsets.size).toBeGreaterThan(1);
      expect(orders.size).toBe(12);
    }
  });

  test('over many epochs every token is predicted, save the first', async () => {
    const seen = new Set<number>();
    for (let epoch = 0; epoch < 60; epoch++) {
      for (const start of await startsOfEpoch(counting(40), 7, 1, epoch)) {
        for (let i = 1; i <= 7; i++) seen.add(start + i);
      }
    }
    expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: 39 }, (_, i) => i + 1));
  });

  test('a batch is a function of its step, and rows follow each other in the epoch', async () => {
    const split = counting(1009);
    const one = trainingWindows(split, { batchSize: 1, length: 13, seed: 9 });
    const five = trainingWindows(split, { batchSize: 5, length: 13, seed: 9 });
    for (const step of [30, 0, 15, 14, 1000]) {
      const batch = await five.batchAt(step);
      expect(batch).toMatchObject({ batchSize: 5, length: 13 });
      for (let row = 0; row < 5; row++) {
        const { inputs, targets } = await one.batchAt(5 * step + row);
        expect(batch.inputs.slice(13 * row, 13 * row + 13)).toEqual(inputs);
        expect(batch.targets.slice(13 * row, 13 * row + 13)).toEqual(targets);
      }
    }
    const other = trainingWindows(split, { batchSize: 5, length: 13, seed: 10 });
    expect(await other.batchAt(0)).not.toEqual(await five.batchAt(0));
  });

  test('refuses what cannot be', async () => {
    const options = { batchSize: 1, length: 7, seed: 0 };
    expect(() => trainingWindows(counting(7), options)).toThrow('has 7 tokens but one window needs 8');
    expect(() => trainingWindows(counting(9), { ...options, length: 0 })).toThrow('length is 0');
    expect(() => trainingWindows(counting(9), { ...options, batchSize: 1.5 })).toThrow('batchSize is 1.5');
    await expect(trainingWindows(counting(9), options).batchAt(-1)).rejects.toThrow('Step -1');
  });
});

describe('evaluationWindows', () => {
  test.each([
    [0, 7, 3],
    [1, 7, 3],
    [2, 7, 3],
    [8, 7, 3],
    [9, 7, 3],
    [22, 7, 3],
    [23, 7, 3],
    [100, 7, 3],
    [100, 1, 11],
  ])(
    'of %i tokens, length %i, %i rows: each token but the first is predicted once',
    async (total, length, batchSize) => {
      const windows = evaluationWindows(counting(total), { batchSize, length });
      const predicted: number[] = [];
      for (let i = 0; i < windows.numBatches; i++) {
        const { inputs, targets, batchSize: rows } = await windows.batchAt(i);
        expect(inputs).toHaveLength(rows * length);
        expect(targets).toHaveLength(rows * length);
        if (i < windows.numBatches - 1) expect(rows).toBe(batchSize);
        targets.forEach((target, at) => {
          if (target !== -1) expect(inputs[at]).toBe(target - 1);
          else expect(inputs[at]).toBe(0);
        });
        for (let row = 0; row < rows; row++) {
          const ofRow = [...targets.slice(row * length, (row + 1) * length)].filter((target) => target !== -1);
          expect(ofRow.length).toBeGreaterThan(0);
          predicted.push(...ofRow);
        }
      }
      expect(predicted).toEqual(Array.from({ length: Math.max(0, total - 1) }, (_, i) => i + 1));
      expect(windows.numPredicted).toBe(predicted.length);
      const inOrder: number[] = [];
      for await (const batch of windows.batches()) inOrder.push(...batch.targets.filter((target) => target !== -1));
      expect(inOrder).toEqual(predicted);
      await expect(windows.batchAt(windows.numBatches)).rejects.toThrow('is not one of the');
    },
  );
});
