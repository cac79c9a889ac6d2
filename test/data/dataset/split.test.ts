import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Pauses } from '../../../src/base/event-loop.ts';
import type { DatasetDocument, PartName } from '../../../src/data/dataset/documents.ts';
import { parseSplit, type SplitOptions, surveySplit } from '../../../src/data/dataset/split.ts';
import { countCharacters, indexOfCharacter, tailCuts, tailText } from '../../../src/data/dataset/tail-split.ts';
import { WaitingText } from '../../../src/data/dataset/waiting-text.ts';

/** Documents that are read in chunks of `size` characters; the first character is the group. */
function documentsOf(texts: readonly string[], size = 3): () => AsyncGenerator<DatasetDocument> {
  return async function* () {
    for (const [i, text] of texts.entries()) {
      const characters = [...text];
      const read = function* () {
        for (let at = 0; at < characters.length; at += size) yield characters.slice(at, at + size).join('');
      };
      yield { name: `${i}`, group: characters[0], read };
    }
  };
}

async function joined(chunks: Iterable<string> | AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += chunk;
  return text;
}

/** The pieces of all documents, those of `unread` without their text. */
async function divide(texts: readonly string[], split: SplitOptions, size = 3, unread?: PartName) {
  const documents = documentsOf(texts, size);
  const splitter = (await surveySplit(documents, parseSplit(split)))();
  const pieces: [part: PartName, text: string, endsDocument: boolean][] = [];
  for await (const document of documents()) {
    for await (const { part, endsDocument, read } of splitter.divide(document)) {
      pieces.push([part, part === unread ? '' : await joined(read()), endsDocument]);
    }
  }
  splitter.check();
  return { pieces, note: splitter.note };
}

const textOf = (pieces: readonly (readonly [PartName, string, boolean])[], wanted: PartName) =>
  pieces.flatMap(([part, text]) => (part === wanted ? [text] : [])).join('');

describe('by tail', () => {
  test('cuts a single document between characters', async () => {
    // 10 characters, 3 of them held out.
    expect((await divide(['ab😀😀😀fg😀é東'], { by: 'tail', fraction: 0.3 })).pieces).toEqual([
      ['train', 'ab😀😀😀fg', false],
      ['heldOut', '😀é東', true],
    ]);
  });

  test('takes the documents together', async () => {
    const texts = ['aaaaa', 'bbbbbb', 'ccc'];
    // 14 characters: 4 held out cut the second document after 5; 3 leave it whole.
    expect((await divide(texts, { by: 'tail', fraction: 4 / 14 })).pieces).toEqual([
      ['train', 'aaaaa', true],
      ['train', 'bbbbb', false],
      ['heldOut', 'b', true],
      ['heldOut', 'ccc', true],
    ]);
    expect((await divide(texts, { by: 'tail', fraction: 3 / 14 })).pieces).toEqual([
      ['train', 'aaaaa', true],
      ['train', 'bbbbbb', true],
      ['heldOut', 'ccc', true],
    ]);
  });

  test('parts nothing and repeats nothing, however the text comes in chunks and whatever is read', async () => {
    const texts = fc.array(fc.string({ unit: 'binary', maxLength: 20 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        texts,
        fc.double({ min: 0.05, max: 0.95 }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 30 }),
        async (all, fraction, size, block) => {
          const total = countCharacters(all.join(''));
          const numHeldOut = Math.round(fraction * total);
          fc.pre(numHeldOut > 0 && numHeldOut < total);
          const { pieces } = await divide(all, { by: 'tail', fraction }, size);
          const [train, heldOut] = [textOf(pieces, 'train'), textOf(pieces, 'heldOut')];
          expect(train + heldOut).toBe(all.join(''));
          expect(countCharacters(heldOut)).toBe(numHeldOut);
          const { pieces: partly } = await divide(all, { by: 'tail', fraction }, size, 'train');
          expect(textOf(partly, 'heldOut')).toBe(heldOut);
          // In one reading the same, also where text waits in files.
          const pauses = new Pauses(undefined);
          for (const [part, text] of [
            ['train', train],
            ['heldOut', heldOut],
          ] as const) {
            const waiting = new WaitingText(block);
            let found = '';
            const reading = tailText(documentsOf(all, size)(), fraction, part, waiting, pauses);
            let next = await reading.next();
            for (; !next.done; next = await reading.next()) found += next.value;
            await waiting.close();
            expect(found).toBe(text);
            expect(next.value).toEqual(await tailCuts(documentsOf(all, size)(), fraction, pauses));
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('text that waits', () => {
  const folder = mkdtempSync(join(tmpdir(), 'waiting-'));
  beforeAll(() => vi.stubEnv('TMPDIR', folder));
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  test('comes back in order, lone surrogates too, and leaves no file', async () => {
    const texts = Array.from({ length: 40 }, (_, i) => `${i}\ud800é`);
    const waiting = new WaitingText(25);
    const found: (string | undefined)[] = [];
    for (const [i, text] of texts.entries()) {
      await waiting.push(text);
      if (i % 5 === 4) found.push(await waiting.shift());
    }
    expect(readdirSync(join(folder, readdirSync(folder)[0]!)).length).toBeGreaterThan(2);
    for (let text = await waiting.shift(); text !== undefined; text = await waiting.shift()) found.push(text);
    expect(found).toEqual(texts);
    expect(await waiting.shift()).toBeUndefined();
    await waiting.close();
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('by document', () => {
  const texts = Array.from({ length: 400 }, (_, i) => `<${i}>`);
  const rule = { by: 'document', fraction: 0.2, seed: 3 } as const;
  const indices = async (count: number, wanted: PartName, r: SplitOptions = rule) =>
    (await divide(texts.slice(0, count), r)).pieces.flatMap(([part, text]) =>
      part === wanted ? [Number(text.slice(1, -1))] : [],
    );

  test('each document is in one part, whole', async () => {
    const { pieces } = await divide(texts, rule);
    expect(pieces.map(([, text, endsDocument]) => [text, endsDocument])).toEqual(texts.map((text) => [text, true]));
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
  expect(textOf((await divide(['ab', 'c'], { by: 'none' })).pieces, 'train')).toBe('abc');
});

test('a tenth is held out where no fraction is given', () => {
  expect(parseSplit({ by: 'tail' })).toEqual({ by: 'tail', fraction: 0.1 });
  expect(parseSplit({ by: 'document' })).toEqual({ by: 'document', fraction: 0.1, seed: 0 });
  expect(parseSplit({ by: 'group' })).toEqual({ by: 'group', fraction: 0.1, heldOut: 0.1, test: 0, seed: 0 });
});

test.each<[string[], SplitOptions, string]>([
  [['a'], { by: 'document', fraction: 0.5 }, "split it by 'tail'"],
  [['ab'], { by: 'tail', fraction: 0 }, 'Key "fraction" in the split is invalid: 0 is not a number between 0 and 1.'],
  [['ab'], { by: 'tail', fraction: 1 }, '1 is not a number between 0 and 1'],
  [['ab'], { by: 'tail', fraction: Number.NaN }, 'NaN is not a number between 0 and 1'],
  [['ab'], { by: 'tail', fraction: 0.1 }, '2 characters are too few to hold out a fraction of 0.1'],
  [[''], { by: 'tail', fraction: 0.5 }, '0 characters are too few'],
  [['ab'], { by: 'half' } as unknown as SplitOptions, 'Key "by" in the split is invalid'],
  [['ab'], { by: 'none', fraction: 0.1 } as unknown as SplitOptions, 'Unknown key "fraction" in the split'],
])('refuses %j by %j', async (texts, rule, message) => {
  await expect(divide(texts, rule)).rejects.toThrow(message);
});

describe('by group', () => {
  test('by group, no group is in distribution and out of it, and shares are as asked for', async () => {
    const texts = Array.from({ length: 4000 }, (_, i) => String.fromCharCode(0x4e00 + (i % 97)) + i);
    const { pieces } = await divide(texts, { by: 'group', fraction: 0.3, heldOut: 0.2, test: 0.1, seed: 3 });
    const groups = (wanted: (part: PartName) => boolean) =>
      new Set(pieces.filter(([part]) => wanted(part)).map(([, text]) => text[0]!));
    const outside = groups((part) => part === 'outOfDistribution');
    const inside = groups((part) => part !== 'outOfDistribution');
    expect(outside.size + inside.size).toBe(97);
    expect([...inside].filter((group) => outside.has(group))).toEqual([]);
    // Three standard deviations of binomials.
    expect(Math.abs(outside.size - 0.3 * 97)).toBeLessThan(3 * Math.sqrt(97 * 0.3 * 0.7));
    const rest = pieces.filter(([part]) => part !== 'outOfDistribution').length;
    for (const [part, share] of [
      ['heldOut', 0.2],
      ['test', 0.1],
    ] as const) {
      const count = pieces.filter(([name]) => name === part).length;
      expect(Math.abs(count - share * rest)).toBeLessThan(3 * Math.sqrt(rest * share * (1 - share)));
    }
    await expect(divide(['a1'], { by: 'group', fraction: 0.5 })).rejects.toThrow('A single document cannot be split');
    await expect(divide(texts, { by: 'group', fraction: 0.5, heldOut: 0.6, test: 0.4 })).rejects.toThrow(
      'sum to below 1',
    );
  });

  test('one group is split by document, and said to be', async () => {
    const texts = Array.from({ length: 200 }, (_, i) => `a${i}`);
    const rule = { by: 'group', fraction: 0.1, heldOut: 0.05, seed: 0 } as const;
    expect((await divide(texts, rule)).pieces).toEqual(
      (await divide(texts, { by: 'document', fraction: 0.05 })).pieces,
    );
    const onlyGroups = await divide(texts, { ...rule, heldOut: 0 });
    expect(onlyGroups.pieces).toEqual((await divide(texts, { by: 'document', fraction: 0.1 })).pieces);
    const noteOf = async (groups: readonly (string | undefined)[]) => {
      async function* documents(): AsyncGenerator<DatasetDocument> {
        for (const group of groups) yield { name: 'x', ...(group !== undefined && { group }), read: () => ['x'] };
      }
      return (await surveySplit(documents, parseSplit(rule)))().note;
    };
    expect(await noteOf(['Homo sapiens', undefined, 'Homo sapiens'])).toBe(
      'All documents with a group belong to "Homo sapiens": 0.05 of the documents are held out instead.',
    );
    expect(await noteOf([undefined, undefined])).toBe(
      'No document belongs to a group: 0.05 of the documents are held out instead.',
    );
    expect(await noteOf(Array.from({ length: 100 }, (_, i) => `group ${i}`))).toBeUndefined();
  });

  test('of few groups one is held out, and one trained on', async () => {
    for (const fraction of [1e-6, 1 - 1e-6]) {
      const { pieces } = await divide(['a1', 'b1', 'a2', 'c1', 'b2'], { by: 'group', fraction, heldOut: 0 });
      const outside = new Set(pieces.filter(([part]) => part === 'outOfDistribution').map(([, text]) => text[0]));
      const inside = new Set(pieces.filter(([part]) => part !== 'outOfDistribution').map(([, text]) => text[0]));
      expect([outside.size, inside.size]).toEqual(fraction < 0.5 ? [1, 2] : [2, 1]);
    }
  });
});

test('characters are code points', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(30), (text, count) => {
      expect(countCharacters(text)).toBe([...text].length);
      expect(text.slice(0, indexOfCharacter(text, count))).toBe([...text].slice(0, count).join(''));
    }),
  );
});
