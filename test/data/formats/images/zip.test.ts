import { crc32, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readZipEntry, type ZipEntry, zipEntries } from '../../../../src/data/formats/images/zip.ts';
import { temporaryFolder } from '../support.ts';
import { zip } from './zip-writer.ts';

const { folder, file } = temporaryFolder();

async function readEntry(path: string, entry: ZipEntry): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of readZipEntry(path, entry)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

describe('zipEntries and readZipEntry', () => {
  test('give back what was written, whatever the form', async () => {
    const part = fc.record({
      name: fc.stringMatching(/^[a-zé]{1,9}\.npy$/),
      data: fc.uint8Array({ maxLength: 300 }),
      isDeflated: fc.boolean(),
      isLarge: fc.boolean(),
      hasDescriptor: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 5 }),
        fc.boolean(),
        fc.string({ maxLength: 40 }),
        async (parts, isLarge, comment) => {
          const path = file('some.zip', zip(parts, { isLarge, comment }));
          const entries = await zipEntries(path);
          expect(entries.map(({ name }) => name)).toEqual(parts.map(({ name }) => name));
          for (const [i, entry] of entries.entries()) {
            expect(await readEntry(path, entry)).toEqual(Buffer.from(parts[i]!.data));
          }
        },
      ),
      { numRuns: 60, seed: 4 },
    );
  });

  test('an entry of many chunks', async () => {
    const data = Uint8Array.from({ length: 2_000_003 }, (_, i) => (i * i) >> 7);
    for (const isDeflated of [false, true]) {
      const path = file(
        'long.zip',
        zip([
          { name: 'a', data: new Uint8Array(9) },
          { name: 'b', data, isDeflated },
        ]),
      );
      expect((await readEntry(path, (await zipEntries(path))[1]!)).equals(data)).toBe(true);
    }
  });

  test('an archive cut short anywhere has no directory', async () => {
    const whole = zip([{ name: 'a.npy', data: new Uint8Array(500).fill(7), isDeflated: true }]);
    for (let length = 0; length < whole.length; length++) {
      await expect(zipEntries(file('cut.zip', whole.subarray(0, length)))).rejects.toThrow(
        `${folder}/cut.zip is no ZIP archive, or is cut short; check the file, or download it again.`,
      );
    }
    await expect(zipEntries(`${folder}/none.zip`)).rejects.toThrow('none.zip does not exist; check the path.');
  });

  test('what looks like the end inside the comment is not, and sizes beyond the file are refused', async () => {
    const part = { name: 'a', data: Uint8Array.of(1, 2, 3) };
    const comment = `PK\x05\x06${'x'.repeat(30)}`;
    expect((await zipEntries(file('comment.zip', zip([part], { comment })))).map(({ name }) => name)).toEqual(['a']);
    const large = zip([part], { isLarge: true });
    // The directory's size in the record of 64 bits, which is followed by its offset, the locator and the end.
    large.writeBigUInt64LE(2n ** 52n, large.length - 22 - 20 - 16);
    await expect(zipEntries(file('large.zip', large))).rejects.toThrow('large.zip is no ZIP archive');
  });

  test.each([true, false])('damaged bytes are found (deflated: %s)', async (isDeflated) => {
    const data = Uint8Array.from({ length: 4000 }, (_, i) => (i * 7) % 251);
    const whole = zip([{ name: 'a', data, isDeflated }]);
    const size = isDeflated ? deflateRawSync(data).length : data.length;
    for (const at of [0, 1, size >> 1, size - 1]) {
      const flipped = Buffer.from(whole);
      flipped[36 + at]! ^= 0x10;
      const path = file('flipped.zip', flipped);
      const [entry] = await zipEntries(path);
      await expect(readEntry(path, entry!)).rejects.toThrow(
        /^a in \S+flipped\.zip cannot be read \([^\n]+\); the file may be damaged or cut short\.$/,
      );
    }
  });

  test('sizes that lie are found, and other methods refused', async () => {
    const path = file('lie.zip', zip([{ name: 'a', data: new Uint8Array(50) }]));
    const [entry] = await zipEntries(path);
    expect(entry!.crc32).toBe(crc32(Buffer.alloc(50)));
    await expect(readEntry(path, { ...entry!, size: 51 })).rejects.toThrow('(50 bytes, not 51)');
    await expect(readEntry(path, { ...entry!, offset: 1 })).rejects.toThrow('its header is missing');
    await expect(readEntry(path, { ...entry!, method: 14 })).rejects.toThrow('compressed by method 14; store or');
  });
});
