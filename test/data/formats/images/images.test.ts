import { mkdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, test, vi } from 'vitest';
import { Random } from '../../../../src/base/random.ts';
import { imagePaths, readImageFiles, readNpzImages } from '../../../../src/data/formats/images/images.ts';
import { parseNpyHeader } from '../../../../src/data/formats/images/npy.ts';
import { readAll, temporaryFolder } from '../support.ts';
import { npy, zip } from './zip-writer.ts';

const { folder, file } = temporaryFolder();
const golden = (name: string) => new URL(`../../../golden/images/${name}.npz`, import.meta.url).pathname;

async function all<T>(generator: AsyncIterable<T>): Promise<T[]> {
  const records: T[] = [];
  for await (const record of generator) records.push(record);
  return records;
}

describe('readNpzImages', () => {
  test.each(['stored', 'compressed'])('reads what NumPy wrote (%s), pixel by pixel', async (name) => {
    const records = await all(readNpzImages(golden(name), { size: 3 }));
    // The formula of the file that generates them: value of image n, plane c, place p.
    const expected = Array.from({ length: 5 }, (_, n) =>
      Array.from({ length: 9 }, (_, p) => [0, 1, 2].map((c) => (n * 91 + c * 37 + p * 11) % 256)).flat(),
    );
    expect(records.map(({ pixels }) => [...pixels])).toEqual(expected);
    expect(records.map(({ line, file }) => [line, file])).toEqual([1, 2, 3, 4, 5].map((n) => [n, golden(name)]));
  });

  test('gives back any planes, however the bytes come in chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(1, 2, 5, 64),
        fc.nat(70),
        fc.boolean(),
        fc.nat(99),
        async (size, n, isDeflated, seed) => {
          const random = new Random(seed);
          const area = size * size;
          const data = Uint8Array.from({ length: n * 3 * area }, () => random.uint32() & 255);
          const version = 1 + (seed % 3);
          const part = { name: 'data.npy', data: npy([n, 3 * area], data, version), isDeflated };
          const path = file('batch.npz', await zip([{ name: 'labels.npy', data: npy([1], Uint8Array.of(1)) }, part]));
          const records = await all(readNpzImages(path, { size }));
          expect(records.map(({ line }) => line)).toEqual(Array.from({ length: n }, (_, i) => i + 1));
          const isRight = records.every(({ pixels }, i) =>
            pixels.every((value, at) => value === data[i * 3 * area + (at % 3) * area + Math.floor(at / 3)]),
          );
          expect(isRight).toBe(true);
        },
      ),
      { numRuns: 15, seed: 5 },
    );
  });

  test('12,288 values by default', async () => {
    const path = file('one.npz', await zip([{ name: 'data.npy', data: npy([2, 12_288], new Uint8Array(24_576)) }]));
    expect((await all(readNpzImages(path))).map(({ pixels }) => pixels.length)).toEqual([12_288, 12_288]);
  });

  test.each([
    ['objects', 'data.npy in .*objects.npz holds pickled Python objects, which are not read'],
    ['fortran', 'has type \\|u1 in Fortran order and shape \\(5, 27\\); give unsigned bytes of shape \\(N, 27\\)'],
    ['floats', 'has type <f4 and shape \\(5, 27\\)'],
    ['labels', 'labels.npz has no array "data" but labels; give batches of images.'],
  ])('refuses %s', async (name, message) => {
    await expect(all(readNpzImages(golden(name), { size: 3 }))).rejects.toThrow(new RegExp(message));
  });

  test('refuses another size, and sizes that cannot be', async () => {
    await expect(all(readNpzImages(golden('stored')))).rejects.toThrow('or (N, 3, 64, 64), or another size.');
    await expect(all(readNpzImages(golden('stored'), { size: 0 }))).rejects.toThrow('size is 0; use a positive');
  });

  test('a file that is cut short, too short or no archive is an error in one sentence', async () => {
    const whole = readFileSync(golden('stored'));
    await expect(
      all(readNpzImages(file('cut.npz', whole.subarray(0, whole.length - 60)), { size: 3 })),
    ).rejects.toThrow('cut.npz is no ZIP archive, or is cut short');
    await expect(all(readNpzImages(file('pickle', Buffer.from('80049500', 'hex'))))).rejects.toThrow(
      'is no ZIP archive',
    );
    const short = async (data: Buffer) =>
      all(readNpzImages(file('s.npz', await zip([{ name: 'data.npy', data }])), { size: 2 }));
    await expect(short(npy([3, 12], new Uint8Array(29)))).rejects.toThrow(
      /data\.npy in \S+ holds 2 images and 5 bytes, not 3; the file may be damaged\.$/,
    );
    await expect(short(npy([3, 12], new Uint8Array(37)))).rejects.toThrow('holds 3 images and 1 bytes, not 3');
    await expect(short(npy([3, 12], new Uint8Array(49)))).rejects.toThrow('holds 3 images and 13 bytes, not 3');
    await expect(short(npy([3, 12], new Uint8Array(0)).subarray(0, 50))).rejects.toThrow('ends inside its head');
    await expect(short(Buffer.from('text, no array'))).rejects.toThrow(
      'is no NumPy array (its first bytes are others)',
    );
  });
});

describe('parseNpyHeader', () => {
  test('asks for more until the head is whole, and refuses others', () => {
    const whole = npy([7], new Uint8Array(0));
    for (let length = 0; length < whole.length; length++) {
      expect(parseNpyHeader(whole.subarray(0, length), 'x')).toBeUndefined();
    }
    expect(parseNpyHeader(whole, 'x')).toEqual({ type: '|u1', shape: [7], isFortranOrder: false, offset: 128 });
    const other = (from: string, to: string) => Buffer.from(whole.toString('latin1').replace(from, to), 'latin1');
    expect(() => parseNpyHeader(other('\x01\0', '\x09\0'), 'x')).toThrow('version 9 is not 1, 2 or 3');
    expect(() => parseNpyHeader(other('shape', 'shope'), 'x')).toThrow('its head is not a type, an order and a shape');
  });
});

describe('readImageFiles', () => {
  const png = (size: number, channels: 3 | 4, data: Uint8Array) =>
    sharp(data, { raw: { width: size, height: size, channels } })
      .png()
      .toBuffer();
  const read = (paths: string[], size: number) => readAll((bad) => readImageFiles(paths, bad, { size }));

  test('an image of the right size stays as it is, in raster order', async () => {
    const random = new Random(8);
    const paths: string[] = [];
    const expected: number[][] = [];
    for (let i = 0; i < 20; i++) {
      const data = Uint8Array.from({ length: 7 * 7 * 3 }, () => random.uint32() & 255);
      expected.push([...data]);
      paths.push(file(`exact-${i}.png`, await png(7, 3, data)));
    }
    const { records, count } = await read(paths, 7);
    expect(records.map(({ pixels }) => [...pixels])).toEqual(expected);
    expect(records.map(({ file, line }) => [file, line])).toEqual(paths.map((path) => [path, 1]));
    expect(count).toBe(0);
  });

  test('composites on white', async () => {
    // Opaque, half and fully transparent: c·a + 255·(1 − a).
    const data = Uint8Array.of(10, 20, 30, 255, 0, 100, 200, 128, 1, 2, 3, 0, 255, 0, 0, 51);
    const { records } = await read([file('alpha.png', await png(2, 4, data))], 2);
    const pixels = [...records[0]!.pixels];
    const expected = [10, 20, 30, 127, 177.2, 227.4, 255, 255, 255, 255, 204, 204];
    pixels.forEach((value, i) => {
      expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(1);
    });
  });

  test('greys, palettes and 16 bits become 8-bit sRGB; larger images are scaled, whatever their proportions', async () => {
    const grey = await sharp(Uint8Array.of(0, 85, 170, 255), { raw: { width: 2, height: 2, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toBuffer();
    const wide = Uint16Array.of(0x1200, 0x8080, 0xffff, 0, 257, 514, 65535, 0, 0, 1285, 1285, 1285);
    const deep = await sharp(wide, { raw: { width: 2, height: 2, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe('ushort');
    const paths = [file('grey.png', grey), file('deep.png', deep)];
    const { records } = await read(paths, 2);
    expect([...records[0]!.pixels]).toEqual([0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255]);
    const eight = Array.from(wide, (value) => value / 257);
    records[1]!.pixels.forEach((value, i) => {
      expect(Math.abs(value - eight[i]!)).toBeLessThanOrEqual(1);
    });
    // The left half red, the right half blue, 40 wide and 10 high.
    const halves = Uint8Array.from({ length: 1200 }, (_, i) => (i % 3 === (i % 120 < 60 ? 0 : 2) ? 255 : 0));
    const image = await sharp(halves, { raw: { width: 40, height: 10, channels: 3 } })
      .jpeg({ quality: 100 })
      .toBuffer();
    const { records: scaled } = await read([file('wide.jpeg', image)], 4);
    const near = (x: number, y: number) => [...scaled[0]!.pixels.subarray(3 * (4 * y + x), 3 * (4 * y + x) + 3)];
    for (let y = 0; y < 4; y++) {
      for (const x of [0, 3]) {
        const [red, green, blue] = near(x, y);
        expect([red! > 200, green! < 50, blue! > 200]).toEqual([x === 0, true, x === 3]);
      }
    }
  });

  test('turns photographs as their EXIF data says', async () => {
    const data = Uint8Array.of(255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    const upright = sharp(data, { raw: { width: 2, height: 2, channels: 3 } });
    // Orientation 3: upside down, so the white pixel belongs at the lower right.
    const turned = await upright.withMetadata({ orientation: 3 }).png().toBuffer();
    const { records } = await read([file('turned.png', turned)], 2);
    expect([...records[0]!.pixels]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255]);
  });

  test('damaged files are counted and the others read', async () => {
    const random = new Random(9);
    const whole = await png(
      30,
      3,
      Uint8Array.from({ length: 2700 }, () => random.uint32() & 255),
    );
    const paths = [
      file('good.png', whole),
      file('cut.png', whole.subarray(0, whole.length / 2)),
      file('text.png', 'no image'),
      file('empty.png', ''),
      file('fine.png', whole),
    ];
    const bad = await readAll((bad) => readImageFiles(paths, bad, { size: 30 }));
    expect(bad.records.map(({ file }) => file)).toEqual([paths[0], paths[4]]);
    expect(bad.count).toBe(3);
    for (const [line, reason] of bad.bad)
      expect([line, reason]).toEqual([1, expect.stringMatching(/^not decoded: .+/)]);
  });

  test('says what to install where sharp is missing', async () => {
    vi.doMock('sharp', () => {
      throw new Error('Cannot find package');
    });
    await expect(read([`${folder}/x.png`], 2)).rejects.toThrow(
      /^Images need the package sharp, which cannot be loaded \([^\n]+\); run npm install sharp\.$/,
    );
    vi.doUnmock('sharp');
  });
});

describe('imagePaths', () => {
  test('finds PNG and JPEG files in a folder and below, sorted', async () => {
    for (const name of ['set/b', 'set/a/deep', 'none/x.png']) mkdirSync(`${folder}/${name}`, { recursive: true });
    for (const name of ['b/1.PNG', 'b/0.jpg', 'a/deep/2.JPEG', 'c.png', 'notes.txt']) file(`set/${name}`, 'x');
    expect(await imagePaths(`${folder}/set`)).toEqual(
      ['a/deep/2.JPEG', 'b/0.jpg', 'b/1.PNG', 'c.png'].map((name) => `${folder}/set/${name}`),
    );
    await expect(imagePaths(`${folder}/none`)).rejects.toThrow('none holds no PNG or JPEG file');
    await expect(imagePaths(`${folder}/nowhere`)).rejects.toThrow('nowhere is no folder that can be read');
  });
});
