import { crc32, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Entry } from 'yauzl';
import { readZipEntry, zipEntries } from '../../../../src/data/formats/images/zip.ts';
import { temporaryFolder } from '../support.ts';
import { zip } from './zip-writer.ts';

const { folder, file } = temporaryFolder();

async function readEntry(path: string, entry: Entry): Promise<Buffer> {
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
          const path = file('some.zip', await zip(parts, { isLarge, comment }));
          const entries = await zipEntries(path);
          expect(entries.map(({ fileName }) => fileName)).toEqual(parts.map(({ name }) => name));
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
        await zip([
          { name: 'a', data: new Uint8Array(9) },
          { name: 'b', data, isDeflated },
        ]),
      );
      expect((await readEntry(path, (await zipEntries(path))[1]!)).equals(data)).toBe(true);
    }
  });

  test('an archive cut short anywhere has no directory', async () => {
    const whole = await zip([{ name: 'a.npy', data: new Uint8Array(500).fill(7), isDeflated: true }]);
    for (let length = 0; length < whole.length; length++) {
      await expect(zipEntries(file('cut.zip', whole.subarray(0, length)))).rejects.toThrow(
        `${folder}/cut.zip is no ZIP archive, or is cut short; check the file, or download it again.`,
      );
    }
    await expect(zipEntries(`${folder}/none.zip`)).rejects.toThrow('none.zip does not exist; check the path.');
  });

  test('an end inside the comment and a directory beyond the file are refused', async () => {
    const part = { name: 'a', data: Uint8Array.of(1, 2, 3) };
    // The writer refuses the comment that could be taken for an end.
    const comment = Buffer.from(await zip([part], { comment: 'x'.repeat(40) }));
    comment.write('PK\x05\x06', comment.length - 36, 'latin1');
    await expect(zipEntries(file('comment.zip', comment))).rejects.toThrow('comment.zip is no ZIP archive');
    const large = await zip([part], { isLarge: true });
    // The directory's place in the record of 64 bits, which the locator and the end follow.
    large.writeBigUInt64LE(2n ** 52n, large.length - 22 - 20 - 8);
    await expect(zipEntries(file('large.zip', large))).rejects.toThrow('large.zip is no ZIP archive');
  });

  test.each([true, false])('damaged bytes are found (deflated: %s)', async (isDeflated) => {
    const data = Uint8Array.from({ length: 4000 }, (_, i) => (i * 7) % 251);
    const whole = await zip([{ name: 'a', data, isDeflated }]);
    const size = isDeflated ? deflateRawSync(data).length : data.length;
    for (const at of [0, 1, size >> 1, size - 1]) {
      const flipped = Buffer.from(whole);
      flipped[31 + at]! ^= 0x10;
      const path = file('flipped.zip', flipped);
      const [entry] = await zipEntries(path);
      await expect(readEntry(path, entry!)).rejects.toThrow(
        /^a in \S+flipped\.zip cannot be read \([^\n]+\); the file may be damaged or cut short\.$/,
      );
    }
  });

  test('sizes that lie are found, and other methods refused', async () => {
    const path = file('lie.zip', await zip([{ name: 'a', data: new Uint8Array(50) }]));
    const [entry] = await zipEntries(path);
    expect(entry!.crc32).toBe(crc32(Buffer.alloc(50)));
    const other = (fields: Partial<Entry>) => Object.assign(Object.create(entry!), fields) as Entry;
    await expect(readEntry(path, other({ crc32: 1 }))).rejects.toThrow('(its checksum is another)');
    await expect(readEntry(path, other({ relativeOffsetOfLocalHeader: 1 }))).rejects.toThrow(
      '(invalid local file header',
    );
    await expect(readEntry(path, other({ compressionMethod: 14 }))).rejects.toThrow(
      'compressed by method 14; store or',
    );
    const deflated = file('lie.zip', await zip([{ name: 'a', data: new Uint8Array(50), isDeflated: true }]));
    const [packed] = await zipEntries(deflated);
    const longer = Object.assign(Object.create(packed!), { uncompressedSize: 51 }) as Entry;
    await expect(readEntry(deflated, longer)).rejects.toThrow('expected 51. got only 50');
  });
});
