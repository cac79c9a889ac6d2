import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import { trainingSequences } from '../../../src/data/batches/sequences.ts';
import { openDataset } from '../../../src/data/dataset/open-dataset.ts';
import { tokenizeDataset } from '../../../src/data/tokens/tokenize-dataset.ts';
import { loadTokenizer } from '../../../src/tokenizers/load-own-tokenizer.ts';
import { PixelTokenizer, pixelText } from '../../../src/tokenizers/pixels.ts';
import { npy, zip } from '../formats/images/zip-writer.ts';
import { temporaryFolder } from '../formats/support.ts';

const { folder, file } = temporaryFolder();
const random = new Random(31);
const noise = (length: number) => Uint8Array.from({ length }, () => random.uint32() & 255);
const size = 5;
const area = size * size;

/** A batch file with `n` images, and their pixels as they should come out. */
async function batch(name: string, n: number): Promise<number[][]> {
  const planes = noise(n * 3 * area);
  file(name, await zip([{ name: 'data.npy', data: npy([n, 3 * area], planes), isDeflated: true }]));
  return Array.from({ length: n }, (_, i) =>
    Array.from({ length: 3 * area }, (_, at) => planes[i * 3 * area + (at % 3) * area + Math.floor(at / 3)]!),
  );
}

describe('PixelTokenizer', () => {
  const tokenizer = new PixelTokenizer();

  test('an id is a value, whatever the values spell', () => {
    const all = Uint8Array.from({ length: 256 }, (_, value) => value);
    const text = new TextEncoder().encode('<s></s><|endoftext|>\r\n');
    for (const pixels of [all, text, noise(12_288)]) {
      expect([...tokenizer.encode(pixelText(pixels))]).toEqual([...pixels]);
      expect(tokenizer.decode(pixels)).toBe(pixelText(pixels));
      expect([...loadTokenizer(JSON.parse(JSON.stringify(tokenizer))).encode(pixelText(pixels))]).toEqual([...pixels]);
    }
    expect([tokenizer.vocabSize, tokenizer.endOfText, tokenizer.specials.size]).toEqual([256, undefined, 0]);
  });
});

describe('images as a dataset', () => {
  test('.npz batches: one document an image, divided by the names of the files, one image a row', async () => {
    mkdirSync(join(folder, 'net'));
    const train = [
      ...(await batch('net/train_data_batch_1.npz', 4)),
      ...(await batch('net/train_data_batch_2.npz', 3)),
    ];
    const heldOut = await batch('net/val_data.npz', 2);
    const dataset = await openDataset({ data: [join(folder, 'net')], size });
    expect([dataset.format, dataset.split]).toEqual(['images', { by: 'given' }]);
    const store = await tokenizeDataset(dataset, new PixelTokenizer(), { file: join(folder, 'tokens.bin') });
    const documents = async (part: 'train' | 'heldOut') => {
      const { documents, length, read } = store[part];
      expect(length).toBe(documents.length * 3 * area);
      return Promise.all(documents.map(async (start) => [...(await read(start, 3 * area))]));
    };
    expect(await documents('train')).toEqual(train);
    expect(await documents('heldOut')).toEqual(heldOut);
    // One character a value: bits per character are bits per dimension.
    expect(store.train.characters).toBe(7 * 3 * area);
    const sequences = { batchSize: 7, length: 3 * area, packing: 'pad', begin: 256, seed: 1 } as const;
    const { inputs, targets } = await trainingSequences(store.train, sequences).batchAt(0);
    const rows = Array.from({ length: 7 }, (_, row) => [...targets.subarray(row * 3 * area, (row + 1) * 3 * area)]);
    expect(rows.toSorted()).toEqual(train.toSorted());
    rows.forEach((row, i) => {
      expect([...inputs.subarray(i * 3 * area, (i + 1) * 3 * area)]).toEqual([256, ...row.slice(0, -1)]);
    });
    await store.close();
  });

  test('folders of image files, with those that cannot be used counted', async () => {
    mkdirSync(join(folder, 'pictures/deep'), { recursive: true });
    const expected: number[][] = [];
    for (const name of ['deep/1.png', 'deep/2.PNG', 'z.png']) {
      const pixels = noise(3 * area);
      expected.push([...pixels]);
      file(
        `pictures/${name}`,
        await sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
          .png()
          .toBuffer(),
      );
    }
    const broken = file('pictures/deep/0.jpg', 'no image');
    const dataset = await openDataset({
      format: 'images',
      data: [join(folder, 'pictures')],
      size,
      split: { by: 'none' },
    });
    const store = await tokenizeDataset(dataset, new PixelTokenizer(), { file: join(folder, 'pictures.bin') });
    const ids = await store.train.read(0, store.train.length);
    expect([...ids]).toEqual(expected.flat());
    expect(store.bad.describe()).toMatch(new RegExp(`^${broken}:1: not decoded: `));
    expect(store.bad.count).toBe(1);
    await store.close();
  });
});
