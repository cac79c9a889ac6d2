import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluationExamples, labelledTokens, trainingExamples } from '../../../src/data/batches/labelled.ts';
import { ListOpsTokenizer, listOpsExamples } from '../../../src/data/listops.ts';
import { ByteTokenizer } from '../../../src/tokenizers/bytes.ts';

const bytes = new ByteTokenizer();
const record = (text: string, label: number) => ({ text, label });

describe('labelledTokens', () => {
  test('keeps every text, cut where asked', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.string({ minLength: 1, unit: 'grapheme' }), fc.nat(4)), { minLength: 1, maxLength: 20 }),
        fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
        fc.nat(1000),
        fc.nat(1000),
        async (texts, maxLength, from, to) => {
          const records = texts.map(([text, label]) => record(text, label));
          const { tokens, classes, numClasses, vocabSize } = await labelledTokens(records, bytes, { maxLength });
          const ids = texts.map(([text]) => [...bytes.encode(text)].slice(0, maxLength));
          expect([...(await tokens.read(0, tokens.length))]).toEqual(ids.flat());
          expect(tokens.documents).toEqual(ids.map((_, i) => ids.slice(0, i).flat().length));
          const [start, end] = [from % (tokens.length + 1), to % (tokens.length + 1)].sort((a, b) => a - b);
          expect([...(await tokens.read(start!, end! - start!))]).toEqual(ids.flat().slice(start, end));
          expect([...classes]).toEqual(texts.map(([, label]) => label));
          expect([numClasses, vocabSize]).toEqual([1 + Math.max(...texts.map(([, label]) => label)), 256]);
          expect(tokens.characters).toBe(texts.reduce((sum, [text]) => sum + [...text].length, 0));
          expect(tokens.bytes).toBe(texts.reduce((sum, [text]) => sum + Buffer.byteLength(text), 0));
        },
      ),
      { numRuns: 60, seed: 12 },
    );
  });

  test('ids beyond 256 stay whole', async () => {
    const wide = { vocabSize: 70_000, encode: (text: string) => Int32Array.from(text, () => 69_999) };
    const { tokens } = await labelledTokens([record('abc', 0)], wide);
    expect([...(await tokens.read(0, 3))]).toEqual([69_999, 69_999, 69_999]);
  });

  test('refuses what cannot be', async () => {
    await expect(labelledTokens([], bytes)).rejects.toThrow('There are no texts to classify');
    await expect(labelledTokens([record('a', 0), record('', 0)], bytes)).rejects.toThrow('Text 2 gives no token');
    await expect(labelledTokens([record('a', -1)], bytes)).rejects.toThrow('Text 1 has class -1');
    await expect(labelledTokens([record('a', 0)], bytes, { maxLength: 0 })).rejects.toThrow('maxLength is 0');
  });
});

describe('batches of texts', () => {
  const texts = Array.from({ length: 23 }, (_, i) => record(String.fromCharCode(97 + i).repeat(1 + (i % 7)), i % 3));
  const options = { batchSize: 5, length: 4, begin: 256, padding: 7 };
  const letterOf = (inputs: Int32Array) => bytes.decode(inputs.subarray(1, 2));

  test('a row is a beginning, the text and padding of segment −1; its target is the class', async () => {
    const { batchAt, numBatches, numPredicted } = evaluationExamples(await labelledTokens(texts, bytes), options);
    expect([numBatches, numPredicted]).toEqual([5, 23]);
    for (let b = 0; b < numBatches; b++) {
      const { inputs, targets, segments, batchSize, length } = await batchAt(b);
      expect([batchSize, length]).toEqual([b === 4 ? 3 : 5, 4]);
      expect([...targets]).toEqual(texts.slice(5 * b, 5 * b + 5).map(({ label }) => label));
      for (let row = 0; row < batchSize; row++) {
        const ids = [256, ...bytes.encode(texts[5 * b + row]!.text)].slice(0, 4);
        const padded = [...ids, ...new Array<number>(4 - ids.length).fill(7)];
        expect([...inputs.subarray(4 * row, 4 * row + 4)]).toEqual(padded);
        expect([...segments![row]!]).toEqual(padded.map((_, i) => (i < ids.length ? 0 : -1)));
      }
    }
  });

  test('an epoch has every text once, with its class, in an order of its own that step and seed alone decide', async () => {
    const data = await labelledTokens(texts, bytes);
    const epoch = async (seed: number, number: number) => {
      const { batchAt, windowsPerEpoch } = trainingExamples(data, { ...options, batchSize: 1, seed });
      expect(windowsPerEpoch).toBe(23);
      const letters: string[] = [];
      // Backwards: what came before does not matter.
      for (let step = 22; step >= 0; step--) {
        const { inputs, targets } = await batchAt(23 * number + step);
        const letter = letterOf(inputs);
        expect(targets[0]).toBe((letter.charCodeAt(0) - 97) % 3);
        letters.unshift(letter);
      }
      expect([...letters].sort().join('')).toBe(texts.map(({ text }) => text[0]).join(''));
      return letters.join('');
    };
    const orders = await Promise.all([epoch(1, 0), epoch(1, 1), epoch(2, 0)]);
    expect(new Set(orders).size).toBe(3);
    expect(await epoch(1, 1)).toBe(orders[1]);
  });

  test('expressions of ListOps', async () => {
    const tokenizer = new ListOpsTokenizer();
    const sizes = { seed: 1, count: 6, minLength: 9, maxLength: 30 };
    const data = await labelledTokens(listOpsExamples(sizes), tokenizer);
    const { beginning: begin, padding } = tokenizer.specialTokens;
    const { inputs, targets } = await evaluationExamples(data, { batchSize: 6, length: 31, begin, padding }).batchAt(0);
    [...listOpsExamples(sizes)].forEach(({ text, label }, row) => {
      expect(tokenizer.decode(inputs.subarray(31 * row, 31 * row + 31))).toBe(text);
      expect(targets[row]).toBe(label);
    });
  });
});
