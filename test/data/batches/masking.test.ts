import { describe, expect, it } from 'vitest';
import { Masking, maskedEvaluation, maskedTraining } from '../../../src/data/batches/masking.ts';
import { evaluationSequences, trainingSequences } from '../../../src/data/batches/sequences.ts';
import { type Batch, evaluationWindows, trainingWindows } from '../../../src/data/batches/windows.ts';
import { splitOf } from '../documents.ts';

const [mask, separator, vocabSize] = [3, 7, 23];
const ordinary = Array.from({ length: vocabSize }, (_, id) => id).filter((id) => id !== mask && id !== separator);

/**
 * Bound on |count − n·p| of n independent events, exceeded with probability below 2e-9 (Bernstein's inequality, t = 20).
 */
const bound = (n: number, p: number) => Math.sqrt(2 * n * p * (1 - p) * 20) + (2 / 3) * 20;
const expectCount = (what: string, count: number, n: number, p: number) =>
  expect(Math.abs(count - n * p), `${what}: ${count} of ${n}, expected ${n * p}`).toBeLessThan(bound(n, p));

/** Rows of random ordinary tokens, a separator at every 10th position, padding at every 13th. */
function batchOf(batchSize: number, length: number): Batch {
  const inputs = Int32Array.from({ length: batchSize * length }, (_, i) =>
    i % 10 === 0 ? separator : ordinary[(i * i + 5 * i) % ordinary.length],
  );
  const targets = inputs.map((id, i) => (i % 13 === 0 ? -1 : id));
  return { inputs, targets, batchSize, length };
}

describe('Masking', () => {
  it.each([0.15, 0.4, 1])('chooses a fraction of %d, and of these 80, 10 and 10 %', (fraction) => {
    const masking = new Masking({ fraction, mask, vocabSize, specials: [separator], seed: 2 });
    const batch = batchOf(8, 12_500);
    const { inputs, targets } = masking.apply(batch, 0);
    let candidates = 0;
    let chosen = 0;
    const shown = { mask: 0, same: 0, other: 0 };
    const drawn = new Map<number, number>();
    let faults = 0;
    targets.forEach((target, i) => {
      const token = batch.inputs[i];
      const isCandidate = token !== separator && batch.targets[i] >= 0;
      if (isCandidate) candidates++;
      if (target < 0) {
        if (inputs[i] !== token) faults++;
        return;
      }
      if (!isCandidate || target !== token) faults++;
      chosen++;
      if (inputs[i] === mask) shown.mask++;
      else if (inputs[i] === token) shown.same++;
      else {
        shown.other++;
        drawn.set(inputs[i], (drawn.get(inputs[i]) ?? 0) + 1);
      }
    });
    expect(faults).toBe(0);
    expect(candidates).toBeGreaterThan(80_000);
    expectCount('chosen', chosen, candidates, fraction);
    // A random token is the token itself one time in 21.
    expectCount('mask', shown.mask, chosen, 0.8);
    expectCount('other', shown.other, chosen, 0.1 * (20 / 21));
    expectCount('same', shown.same, chosen, 0.1 + 0.1 / 21);
    // Every ordinary token is drawn alike, no special one ever.
    expect([...drawn.keys()].sort((a, b) => a - b)).toEqual(ordinary);
    for (const [id, count] of drawn) expectCount(`token ${id}`, count, shown.other, 1 / 21);
  });

  it('chooses neighbours independently', () => {
    const { targets } = new Masking({ fraction: 0.5, mask, vocabSize, seed: 4 }).apply(
      { ...batchOf(1, 60_000), targets: new Int32Array(60_000).fill(5) },
      0,
    );
    let both = 0;
    for (let i = 0; i < targets.length; i += 2) if (targets[i] >= 0 && targets[i + 1] >= 0) both++;
    expectCount('pairs', both, targets.length / 2, 0.25);
  });

  it('is a function of the seed and the row', () => {
    const batch = batchOf(3, 101);
    const make = (seed: number) => new Masking({ mask, vocabSize, seed });
    const masked = make(2).apply(batch, 40);
    expect(make(2).apply(batch, 40)).toEqual(masked);
    expect(make(3).apply(batch, 40)).not.toEqual(masked);
    for (let row = 0; row < 3; row++) {
      const part = (array: Int32Array) => array.slice(101 * row, 101 * row + 101);
      const alone = { inputs: part(batch.inputs), targets: part(batch.targets), batchSize: 1, length: 101 };
      const { inputs, targets } = make(2).apply(alone, 40 + row);
      expect([inputs, targets]).toEqual([part(masked.inputs), part(masked.targets)]);
      expect(make(2).apply(alone, 43 + row)).not.toEqual({ ...alone, inputs, targets });
    }
  });

  it('refuses what cannot be', () => {
    expect(() => new Masking({ mask, vocabSize, seed: 0, fraction: 0 })).toThrow('fraction of masked tokens is 0');
    expect(() => new Masking({ mask: -1, vocabSize, seed: 0 })).toThrow('The mask token is -1');
    expect(() => new Masking({ mask: 1, vocabSize: 2, specials: [0], seed: 0 })).toThrow('Every token is special');
  });
});

describe('masked batches', () => {
  const split = splitOf(
    Array.from({ length: 11 }, (_, d) =>
      Array.from({ length: 4 + ((5 * d) % 17) }, (_, i) => ordinary[(3 * d + i) % 21]),
    ),
  );
  const options = { batchSize: 3, length: 19, targets: 'itself' } as const;

  it('in training: from any step as from the start, other tokens in another epoch', async () => {
    for (const make of [
      () => trainingWindows(split, { ...options, seed: 1 }),
      () => trainingSequences(split, { ...options, packing: 'pack', seed: 1 }),
      () => trainingSequences(split, { ...options, packing: 'pad', seed: 1 }),
    ]) {
      const plain = make();
      const masked = maskedTraining(make(), new Masking({ mask, vocabSize, seed: 1 }));
      const again = maskedTraining(make(), new Masking({ mask, vocabSize, seed: 1 }));
      const batches: Batch[] = [];
      for (let step = 0; step < 2 * plain.windowsPerEpoch; step++) batches.push(await masked.batchAt(step));
      for (let step = 2 * plain.windowsPerEpoch - 1; step >= 0; step--) {
        expect(await again.batchAt(step)).toEqual(batches[step]);
        const { inputs, targets } = await plain.batchAt(step);
        targets.forEach((target, i) => {
          expect([target, -1]).toContain(batches[step].targets[i]);
          if (batches[step].targets[i] < 0) expect(batches[step].inputs[i]).toBe(inputs[i]);
        });
      }
      const chosen = batches.map(({ targets }) => [...targets.keys()].filter((i) => targets[i] >= 0).join());
      expect(new Set(chosen).size).toBe(batches.length);
    }
  });

  it('held out: the same at every evaluation, whatever the size of the batches', async () => {
    const all = async (batchSize: number) => {
      const windows = evaluationSequences(split, { ...options, batchSize, packing: 'pack' });
      const masked = maskedEvaluation(windows, new Masking({ mask, vocabSize, seed: 1 }), batchSize);
      const found: number[] = [];
      for await (const { inputs, targets } of masked.batches()) {
        for (const [i, id] of inputs.entries()) found.push(id, targets[i]);
      }
      return found;
    };
    expect(await all(1)).toEqual(await all(1));
    const rows = async (batchSize: number) => {
      const found = await all(batchSize);
      return Array.from({ length: found.length / 38 }, (_, row) => found.slice(38 * row, 38 * row + 38));
    };
    expect(await rows(2)).toEqual(await rows(1));
  });

  it('windows whose tokens are their own targets hold every token once, padding unseen', async () => {
    const windows = evaluationWindows(split, { ...options, batchSize: 2 });
    const tokens: number[] = [];
    for await (const { inputs, targets, segments } of windows.batches()) {
      targets.forEach((target, i) => {
        const isPadding = target < 0;
        if (!isPadding) {
          expect(inputs[i]).toBe(target);
          tokens.push(target);
        }
        expect(segments?.[Math.floor(i / 19)][i % 19] ?? 0).toBe(isPadding ? -1 : 0);
      });
    }
    expect(tokens).toEqual([...(await split.read(0, split.length))]);
    expect(windows.numPredicted).toBe(split.length);
    expect(split.length % 19).not.toBe(0);
  });

  it('windows for training whose tokens are their own targets reach the first and the last token', async () => {
    const windows = trainingWindows(split, { ...options, batchSize: 1, seed: 3 });
    const all = await split.read(0, split.length);
    const text = (ids: Int32Array) => ids.join();
    const ends = [false, false];
    for (let step = 0; step < 400; step++) {
      const { inputs, targets } = await windows.batchAt(step);
      expect(targets).toEqual(inputs);
      if (text(inputs) === text(all.slice(0, 19))) ends[0] = true;
      if (text(inputs) === text(all.slice(-19))) ends[1] = true;
    }
    expect(ends).toEqual([true, true]);
  });
});
