import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluationExamples, trainingExamples } from '../../../src/data/batches/labelled-examples.ts';
import { listOpsExamples, listOpsLetters, listOpsTokenizer } from '../../../src/data/listops.ts';
import { type FromTextsOptions, fromTexts, type MarkedText } from '../../../src/data/tokens/from-texts.ts';
import type { TokenEncoder } from '../../../src/data/tokens/token-store.ts';
import { ByteTokenizer } from '../../../src/tokenizers/bytes.ts';

const bytes = new ByteTokenizer();
const record = (text: string, label: number) => ({ text, label });
const tokensOf = async (texts: Iterable<MarkedText>, tokenizer: TokenEncoder = bytes, options: FromTextsOptions = {}) =>
  (await fromTexts(texts, tokenizer, { by: 'none' }, options)).train;

describe('texts with classes', () => {
  test('keeps every text, cut where asked', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.string({ minLength: 1, unit: 'grapheme' }), fc.nat(4)), { minLength: 1, maxLength: 20 }),
        fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
        fc.nat(1000),
        fc.nat(1000),
        async (texts, maxLength, from, to) => {
          const records = texts.map(([text, label]) => record(text, label));
          const tokens = await tokensOf(records, bytes, { maxLength });
          const ids = texts.map(([text]) => [...bytes.encode(text)].slice(0, maxLength));
          expect([...(await tokens.read(0, tokens.length))]).toEqual(ids.flat());
          expect(tokens.documents).toEqual(ids.map((_, i) => ids.slice(0, i).flat().length));
          const [start, end] = [from % (tokens.length + 1), to % (tokens.length + 1)].sort((a, b) => a - b);
          expect([...(await tokens.read(start!, end! - start!))]).toEqual(ids.flat().slice(start, end));
          expect(tokens.labels).toEqual(texts.map(([, label]) => label));
          expect(tokens.characters).toBe(texts.reduce((sum, [text]) => sum + [...text].length, 0));
          expect(tokens.bytes).toBe(texts.reduce((sum, [text]) => sum + Buffer.byteLength(text), 0));
        },
      ),
      { numRuns: 60, seed: 12 },
    );
  });

  test('ids beyond 256 stay whole', async () => {
    const wide = { vocabSize: 70_000, encode: (text: string) => Int32Array.from(text, () => 69_999) };
    const tokens = await tokensOf([record('abc', 0)], wide);
    expect([...(await tokens.read(0, 3))]).toEqual([69_999, 69_999, 69_999]);
  });

  test('refuses what cannot be', async () => {
    const refused = (texts: Iterable<unknown>, message: string, options: FromTextsOptions = {}) =>
      expect(tokensOf(texts as MarkedText[], bytes, options)).rejects.toThrow(message);
    await refused([], 'There are no texts; give at least one.');
    await refused([record('a', -1)], 'Document 1 has class -1; number classes from 0.');
    await refused([record('a', 0.5)], 'Document 1 has class 0.5');
    await refused([record('a', 0), { text: 'b' }], 'Document 2 has no class, unlike those before.');
    await refused([{ text: 'b' }, record('a', 0)], 'Document 2 has a class, unlike those before.');
    await refused([record('a', 0)], 'maxLength is 0', { maxLength: 0 });
    await refused([record('a', 0), 5], 'an element of texts is 5; give a text, or an object with a text.');
    const { train: plain, heldOut: empty } = await fromTexts(['a'], bytes, { by: 'none' });
    const rows = { batchSize: 1, length: 2 };
    expect(() => evaluationExamples(plain, rows)).toThrow('The texts have no classes; give each a label.');
    expect(() => trainingExamples(empty, { ...rows, seed: 0 })).toThrow('There is no text to classify');
  });

  test('a text without tokens has no position and no label', async () => {
    const { documents, labels } = await tokensOf([record('a', 0), record('', 1), record('b', 2)]);
    expect([documents, labels]).toEqual([
      [0, 1],
      [0, 2],
    ]);
  });

  test('an id outside the vocabulary is refused, not wrapped', async () => {
    const wrong = { vocabSize: 200, encode: () => Int32Array.of(7, 300) };
    await expect(tokensOf([record('a', 0)], wrong)).rejects.toThrow('token 300, which its vocabulary of 200');
  });
});

describe('batches of texts', () => {
  const texts = Array.from({ length: 23 }, (_, i) => record(String.fromCharCode(97 + i).repeat(1 + (i % 7)), i % 3));
  const options = { batchSize: 5, length: 4, begin: 256, padding: 7 };
  const letterOf = (inputs: Int32Array) => bytes.decode(inputs.subarray(1, 2));

  test('a row is a beginning, the text and padding of segment −1; its target is the class', async () => {
    const { batchAt, numBatches, numPredicted } = evaluationExamples(await tokensOf(texts), options);
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
    const data = await tokensOf(texts);
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
    const tokenizer = await listOpsTokenizer();
    const sizes = { seed: 1, count: 6, minLength: 9, maxLength: 30 };
    const examples = Array.from(listOpsExamples(sizes), ({ symbols, label }) => record(listOpsLetters(symbols), label));
    const { inputs, targets } = await evaluationExamples(await tokensOf(examples, tokenizer), {
      ...{ batchSize: 6, length: 31 },
    }).batchAt(0);
    examples.forEach(({ text, label }, row) => {
      const ids = inputs.subarray(31 * row, 31 * row + 31);
      expect(tokenizer.decode(ids.filter((id) => id > 0))).toBe(text);
      expect(targets[row]).toBe(label);
    });
  });
});
