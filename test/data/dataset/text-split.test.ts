import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  countCharacters,
  documentParts,
  indexOfCharacter,
  type Part,
  planSplit,
  type SplitRule,
  splitText,
  textDocuments,
} from '../../../src/data/dataset/text-split.ts';

/** Documents that are read in small chunks, which end between characters. */
function chunked(texts: readonly string[], size: number) {
  return texts.map((text, i) => ({
    name: `document ${i}`,
    *read() {
      const characters = [...text];
      for (let at = 0; at < characters.length; at += size) yield characters.slice(at, at + size).join('');
    },
  }));
}

async function partsOf(texts: readonly string[], rule: SplitRule, part: Part, size = 3) {
  const plan = await planSplit(chunked(texts, size), rule);
  return Promise.all(
    documentParts(plan, part).map(async ({ document, endsDocument, read }) => {
      let text = '';
      for await (const chunk of read()) text += chunk;
      return { document, endsDocument, text };
    }),
  );
}

describe('by tail', () => {
  test('cuts a single document between characters', async () => {
    // 10 characters, 3 of them held out.
    const rule: SplitRule = { by: 'tail', fraction: 0.3 };
    expect(await splitText(textDocuments(['ab😀😀😀fg😀é東']), rule)).toEqual({
      train: 'ab😀😀😀fg',
      heldOut: '😀é東',
    });
    expect(await partsOf(['ab😀😀😀fg😀é東'], rule, 'train')).toEqual([
      { document: 0, endsDocument: false, text: 'ab😀😀😀fg' },
    ]);
    expect(await partsOf(['ab😀😀😀fg😀é東'], rule, 'heldOut')).toEqual([
      { document: 0, endsDocument: true, text: '😀é東' },
    ]);
  });

  test('takes the documents together', async () => {
    const texts = ['aaaaa', 'bbbbbb', 'ccc'];
    // 14 characters: 4 held out cut the second document after 5; 3 leave it whole.
    expect(await partsOf(texts, { by: 'tail', fraction: 4 / 14 }, 'train')).toEqual([
      { document: 0, endsDocument: true, text: 'aaaaa' },
      { document: 1, endsDocument: false, text: 'bbbbb' },
    ]);
    expect(await partsOf(texts, { by: 'tail', fraction: 4 / 14 }, 'heldOut')).toEqual([
      { document: 1, endsDocument: true, text: 'b' },
      { document: 2, endsDocument: true, text: 'ccc' },
    ]);
    expect(await partsOf(texts, { by: 'tail', fraction: 3 / 14 }, 'train')).toEqual([
      { document: 0, endsDocument: true, text: 'aaaaa' },
      { document: 1, endsDocument: true, text: 'bbbbbb' },
    ]);
  });

  test('parts nothing and repeats nothing, however the text comes in chunks', async () => {
    const texts = fc.array(fc.string({ unit: 'binary', maxLength: 20 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        texts,
        fc.double({ min: 0.05, max: 0.95 }),
        fc.integer({ min: 1, max: 7 }),
        async (all, fraction, size) => {
          const total = countCharacters(all.join(''));
          const numHeldOut = Math.round(fraction * total);
          fc.pre(numHeldOut > 0 && numHeldOut < total);
          const { train, heldOut } = await splitText(chunked(all, size), { by: 'tail', fraction });
          expect(train + heldOut).toBe(all.join(''));
          expect(countCharacters(heldOut)).toBe(numHeldOut);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('by document', () => {
  const texts = Array.from({ length: 400 }, (_, i) => `<${i}>`);
  const rule: SplitRule = { by: 'document', fraction: 0.2, seed: 3 };
  const indices = async (count: number, part: Part, r: SplitRule = rule) =>
    (await partsOf(texts.slice(0, count), r, part)).map(({ document }) => document);

  test('each document is in one part, whole', async () => {
    const both = [...(await partsOf(texts, rule, 'train')), ...(await partsOf(texts, rule, 'heldOut'))];
    both.sort((a, b) => a.document - b.document);
    expect(both).toEqual(texts.map((text, document) => ({ document, endsDocument: true, text })));
  });

  test('holds out about the fraction, by seed, and does not move when documents are added', async () => {
    const heldOut = await indices(400, 'heldOut');
    // 80 expected, standard deviation 8.
    expect(heldOut.length).toBeGreaterThan(50);
    expect(heldOut.length).toBeLessThan(110);
    expect(await indices(400, 'heldOut', { ...rule, seed: 4 })).not.toEqual(heldOut);
    expect(await indices(200, 'heldOut')).toEqual(heldOut.filter((document) => document < 200));
  });

  test('leaves no part empty', async () => {
    for (let count = 2; count < 6; count++) {
      expect(await indices(count, 'heldOut', { ...rule, fraction: 1e-9 })).toHaveLength(1);
      expect(await indices(count, 'train', { ...rule, fraction: 1 - 1e-9 })).toHaveLength(1);
    }
  });
});

test('without a split everything is for training', async () => {
  expect(await splitText(textDocuments(['ab', 'c']), { by: 'none' })).toEqual({ train: 'abc', heldOut: '' });
});

test.each<[string[], SplitRule, string]>([
  [[], { by: 'none' }, 'There are no documents'],
  [['a'], { by: 'document', fraction: 0.5 }, "split it by 'tail'"],
  [['ab'], { by: 'tail', fraction: 0 }, 'The held-out fraction is 0; use a number between 0 and 1.'],
  [['ab'], { by: 'tail', fraction: 1 }, 'fraction is 1'],
  [['ab'], { by: 'tail', fraction: Number.NaN }, 'fraction is NaN'],
  [['ab'], { by: 'tail', fraction: 0.1 }, '2 characters are too few to hold out a fraction of 0.1'],
  [[''], { by: 'tail', fraction: 0.5 }, '0 characters are too few'],
])('refuses %j by %j', async (texts, rule, message) => {
  await expect(planSplit(textDocuments(texts), rule)).rejects.toThrow(message);
});

test('characters are code points', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(30), (text, count) => {
      expect(countCharacters(text)).toBe([...text].length);
      expect(text.slice(0, indexOfCharacter(text, count))).toBe([...text].slice(0, count).join(''));
    }),
  );
});
