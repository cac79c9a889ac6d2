import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { evaluationSequences, type SequenceOptions, trainingSequences } from '../../../src/data/batches/sequences.ts';
import type { Batch } from '../../../src/data/batches/windows.ts';
import { numbered } from '../documents.ts';

interface Stretch {
  inputs: number[];
  targets: number[];
}

/** The sequences of a batch, row by row; checks that the rest is padding. */
function sequencesOf({ inputs, targets, segments, batchSize, length }: Batch, padding = 0): Stretch[][] {
  return Array.from({ length: batchSize }, (_, row) => {
    const found: Stretch[] = [];
    let last = -1;
    for (let i = 0; i < length; i++) {
      const id = segments![row][i];
      const at = row * length + i;
      if (id < 0) {
        expect(inputs[at]).toBe(padding);
        expect(targets[at]).toBe(-1);
        continue;
      }
      if (id !== last) {
        expect(id).toBe(found.length);
        found.push({ inputs: [], targets: [] });
        last = id;
      }
      found[id].inputs.push(inputs[at]);
      found[id].targets.push(targets[at]);
    }
    return found;
  });
}

async function collect(batches: AsyncIterable<Batch>, padding?: number): Promise<Stretch[][]> {
  const rows: Stretch[][] = [];
  for await (const batch of batches) rows.push(...sequencesOf(batch, padding));
  return rows;
}

const positions = (rows: Stretch[][]) => rows.flat().reduce((sum, { inputs }) => sum + inputs.length, 0);

const someLengths = fc.array(fc.integer({ min: 1, max: 29 }), { minLength: 1, maxLength: 23 });

describe('evaluationSequences', () => {
  const frames = [{}, { begin: 900_001 }, { end: 900_002 }, { begin: 900_001, end: 900_002 }];
  for (const packing of ['pack', 'pad'] as const) {
    for (const targets of ['following', 'itself'] as const) {
      it(`${packing}, targets ${targets}: loses and doubles no token, and crosses no document`, async () => {
        await fc.assert(
          fc.asyncProperty(
            someLengths,
            fc.integer({ min: 1, max: 17 }),
            fc.integer({ min: 1, max: 5 }),
            fc.constantFrom(...frames),
            async (lengths, length, batchSize, frame) => {
              const windows = evaluationSequences(numbered(lengths), {
                packing,
                targets,
                length,
                batchSize,
                padding: 77,
                ...frame,
              });
              const rows = await collect(windows.batches(), 77);
              if (packing === 'pad') for (const row of rows) expect(row).toHaveLength(1);
              const documents = lengths.map((count, d) => [
                ...(frame.begin ? [frame.begin] : []),
                ...Array.from({ length: count }, (_, i) => 1000 * d + i),
                ...(frame.end ? [frame.end] : []),
              ]);
              const ahead = targets === 'following' ? 1 : 0;
              // Pairs of input and target: a pair of two documents is not expected.
              const pairsOf = (inputs: number[], targets: number[]) =>
                targets.map((target, i) => `${inputs[i]} → ${target}`);
              const expected = documents.flatMap((ids) => pairsOf(ids, ids.slice(ahead)));
              const found = rows.flat().flatMap(({ inputs, targets }) => pairsOf(inputs, targets));
              expect(found.sort()).toEqual(expected.sort());
              expect(windows.numPredicted).toBe(expected.length);
              expect(windows.fill).toBeCloseTo(
                expected.length === 0 ? 1 : positions(rows) / (rows.length * length),
                12,
              );
              // No document is cut that fits into a row.
              const pieces = rows.flat().length;
              const needed = documents.reduce(
                (sum, ids) => sum + Math.ceil(Math.max(0, ids.length - ahead) / length),
                0,
              );
              expect(pieces).toBe(needed);
            },
          ),
          { numRuns: 60 },
        );
      });
    }
  }

  it('has every batch by its number', async () => {
    const windows = evaluationSequences(numbered([5, 3, 9, 2]), { packing: 'pad', length: 4, batchSize: 3 });
    expect(windows.numBatches).toBe(2);
    expect((await windows.batchAt(1)).batchSize).toBe(2);
    await expect(windows.batchAt(2)).rejects.toThrow('Batch 2 is not one of the 2');
  });

  it('gives every document its class, and takes the start of a longer one', async () => {
    const options = { packing: 'pad', length: 4, batchSize: 2, classes: [2, 0, 1], begin: 5000 } as const;
    const windows = evaluationSequences(numbered([6, 1, 3]), options);
    const [first, second] = [await windows.batchAt(0), await windows.batchAt(1)];
    expect([...first.targets, ...second.targets]).toEqual([2, 0, 1]);
    expect([...first.inputs]).toEqual([5000, 0, 1, 2, 5000, 1000, 0, 0]);
    expect(first.segments!.map((row) => [...row])).toEqual([
      [0, 0, 0, 0],
      [0, 0, -1, -1],
    ]);
    expect([...second.inputs]).toEqual([5000, 2000, 2001, 2002]);
    expect(windows.numPredicted).toBe(3);
  });
});

describe('trainingSequences', () => {
  const epoch = async (
    lengths: readonly number[],
    options: Omit<SequenceOptions, 'batchSize'>,
    number: number,
    seed = 5,
  ) => {
    const windows = trainingSequences(numbered(lengths), { ...options, batchSize: 1, seed });
    const rows: Stretch[][] = [];
    for (let i = 0; i < windows.windowsPerEpoch; i++) {
      rows.push(...sequencesOf(await windows.batchAt(number * windows.windowsPerEpoch + i)));
    }
    return rows;
  };

  it('packed: every epoch has every token once, in another order', async () => {
    await fc.assert(
      fc.asyncProperty(someLengths, fc.integer({ min: 2, max: 17 }), fc.nat(5), async (lengths, length, number) => {
        const options = { packing: 'pack', targets: 'itself', length } as const;
        const rows = await epoch(lengths, options, number);
        const expected = lengths.flatMap((count, d) => Array.from({ length: count }, (_, i) => 1000 * d + i));
        expect(
          rows
            .flat()
            .flatMap(({ inputs }) => inputs)
            .sort((a, b) => a - b),
        ).toEqual(expected);
      }),
      { numRuns: 40 },
    );
    const lengths = Array.from({ length: 60 }, (_, i) => 1 + ((7 * i) % 13));
    const orders = new Set<string>();
    for (let number = 0; number < 8; number++) {
      orders.add(JSON.stringify(await epoch(lengths, { packing: 'pack', length: 16 }, number)));
    }
    expect(orders.size).toBe(8);
  });

  it('padded: every document once an epoch, a longer one cropped anew, at any position', async () => {
    const seen = new Set<number>();
    for (let number = 0; number < 100; number++) {
      const rows = await epoch([3, 12, 7], { packing: 'pad', targets: 'itself', length: 7 }, number);
      const crops = rows.map(([{ inputs }]) => inputs).sort((a, b) => a[0] - b[0]);
      expect(crops.map((crop) => crop.length)).toEqual([3, 7, 7]);
      const [short, cropped, whole] = crops;
      expect([short[0], whole[0]]).toEqual([0, 2000]);
      expect(cropped).toEqual(Array.from({ length: 7 }, (_, i) => cropped[0] + i));
      seen.add(cropped[0]);
    }
    // Six positions, each with probability 1/6: one is missed with probability below 6·(5/6)^100 < 1e-7.
    expect([...seen].sort((a, b) => a - b)).toEqual([1000, 1001, 1002, 1003, 1004, 1005]);
  });

  it('a batch is a function of its number: runs resume, and rows follow each other', async () => {
    for (const packing of ['pack', 'pad'] as const) {
      const make = (batchSize: number, seed = 9) =>
        trainingSequences(numbered([5, 13, 2, 8, 1, 30, 4]), { packing, length: 8, batchSize, seed });
      const [one, three] = [make(1), make(3)];
      for (const step of [7, 0, 3, 100]) {
        const { inputs, targets, segments } = await three.batchAt(step);
        expect(await make(3).batchAt(step)).toEqual(await three.batchAt(step));
        for (let row = 0; row < 3; row++) {
          const alone = await one.batchAt(3 * step + row);
          expect(inputs.slice(8 * row, 8 * row + 8)).toEqual(alone.inputs);
          expect(targets.slice(8 * row, 8 * row + 8)).toEqual(alone.targets);
          expect(segments![row]).toEqual(alone.segments![0]);
        }
      }
      const other = make(3, 10);
      const batches = async (windows: typeof other) => Promise.all([0, 1, 2].map((step) => windows.batchAt(step)));
      expect(await batches(other)).not.toEqual(await batches(three));
    }
  });

  test('refuses what cannot be', async () => {
    const options = { packing: 'pack', length: 8, batchSize: 2, seed: 0 } as const;
    expect(() => trainingSequences(numbered([1, 1]), options)).toThrow('There is no sequence to train on');
    expect(() => trainingSequences(numbered([5]), { ...options, length: 0 })).toThrow('length is 0');
    expect(() => trainingSequences(numbered([5]), { ...options, packing: 'pad', classes: [1, 2] })).toThrow(
      '2 classes for 1 documents',
    );
    expect(() => trainingSequences(numbered([5]), { ...options, classes: [1] })).toThrow("use packing 'pad'");
    await expect(trainingSequences(numbered([5]), options).batchAt(0.5)).rejects.toThrow('Step 0.5');
  });
});
