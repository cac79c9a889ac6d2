/**
 * The layout of a token file, in this order:
 * - the tokens of all parts in the order of {@link partNames}, each a little-endian uint8, uint16 or uint32, as the
 *   vocabulary needs
 * - where their documents start (float64)
 * - the labels of documents that have labels (float64)
 * - the groups of documents that have groups, as indices into the names of the footer, or −1 (float64)
 * - a JSON footer, its length as uint32, and the magic
 */
import { Buffer } from 'node:buffer';
import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { DataError } from '../../base/errors.ts';
import { safeParse, z } from '../../base/zod.ts';
import { type PartName, partNames } from '../dataset/documents.ts';
import { createFingerprint } from './fingerprint.ts';

const MAGIC = 'PERFTOK2';
const TRAILER = 4 + MAGIC.length;

/** Of a document's start, of a label and of a group. */
export const BYTES_PER_NUMBER = 8;

const footerSchema = z.lazy(() => {
  const count = z.int().check(z.minimum(0));
  const part = z.object({
    length: count,
    characters: count,
    bytes: count,
    numDocuments: count,
    hasLabels: z.optional(z.boolean()),
    hasGroups: z.optional(z.boolean()),
  });
  return z.object({
    /** Everything that the contents depend on. */
    key: z.string(),
    bytesPerToken: z.union([z.literal(1), z.literal(2), z.literal(4)]),
    parts: z.object(Object.fromEntries(partNames.map((name) => [name, part])) as Record<PartName, typeof part>),
    /** Different groups of documents; undefined where no document has a group. */
    groupNames: z.optional(z.array(z.string())),
    /** SHA-256 of the training tokens. */
    fingerprint: z.string(),
    /** What reading the data left out. */
    bad: z.object({
      count,
      examples: z.array(z.object({ file: z.string(), line: z.number(), reason: z.string() })),
    }),
    skipped: z.record(z.string(), count),
    /** What was done otherwise than asked for; of files of the first release undefined. */
    notes: z.optional(z.array(z.string())),
    /** SHA-256 of all before the footer and of the footer without this; of files of the first release undefined. */
    checksum: z.optional(z.string()),
  });
});

export type TokenFooter = z.infer<typeof footerSchema>;

/** Numbers that a part has for each of its documents, in the order of the file. */
const documentNumbers = ['starts', 'labels', 'groups'] as const;
type DocumentNumbers = (typeof documentNumbers)[number];

/** How many of these numbers a part has. */
const countOf = ({ numDocuments, hasLabels, hasGroups }: TokenFooter['parts'][PartName], kind: DocumentNumbers) =>
  kind === 'starts' || (kind === 'labels' ? hasLabels : hasGroups) ? numDocuments : 0;

/** Where the tokens and the numbers of the documents of a part begin in the file, in bytes, and where all numbers end. */
export function offsetsOf(
  { parts, bytesPerToken }: TokenFooter,
  wanted: PartName,
): Record<'tokens' | 'end' | DocumentNumbers, number> {
  const offsets = { tokens: 0, starts: 0, labels: 0, groups: 0, end: 0 };
  const advance = (key: keyof typeof offsets, name: PartName, bytes: number) => {
    if (name === wanted) offsets[key] = offsets.end;
    offsets.end += bytes;
  };
  for (const name of partNames) advance('tokens', name, bytesPerToken * parts[name].length);
  for (const kind of documentNumbers) {
    for (const name of partNames) advance(kind, name, BYTES_PER_NUMBER * countOf(parts[name], kind));
  }
  return offsets;
}

/** @param hash of all that is before the footer */
export function packFooter(footer: TokenFooter, hash: Hash): Buffer {
  const text = JSON.stringify({ ...footer, checksum: '' });
  const json = Buffer.from(JSON.stringify({ ...footer, checksum: hash.update(text).digest('hex') }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([json, length, Buffer.from(MAGIC)]);
}

export function packNumbers(numbers: readonly number[]): Buffer {
  const buffer = Buffer.alloc(BYTES_PER_NUMBER * numbers.length);
  numbers.forEach((number, i) => void buffer.writeDoubleLE(number, BYTES_PER_NUMBER * i));
  return buffer;
}

export function unpackNumbers(buffer: Buffer): number[] {
  return Array.from({ length: buffer.length / BYTES_PER_NUMBER }, (_, i) => buffer.readDoubleLE(BYTES_PER_NUMBER * i));
}

/** The footer of a complete token file; undefined for anything else, which is then written anew. */
export async function readFooter(file: string): Promise<TokenFooter | undefined> {
  const handle = await open(file).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const { size } = await handle.stat();
    const trailer = await readBytes(handle, size - TRAILER, TRAILER);
    if (trailer?.toString('latin1', 4) !== MAGIC) return undefined;
    const length = trailer.readUInt32LE(0);
    const json = await readBytes(handle, size - TRAILER - length, length);
    const { data } = safeParse(footerSchema, JSON.parse(json?.toString() ?? 'null'));
    if (data === undefined) return undefined;
    return size === offsetsOf(data, 'train').end + length + TRAILER ? data : undefined;
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}

/** @throws DataError when the contents of a token file are not what they were when it was written */
export async function verifyTokens(file: string, { checksum }: TokenFooter): Promise<void> {
  if (checksum === undefined) return;
  const { size } = await stat(file);
  const handle = await open(file);
  try {
    const length = (await readBytes(handle, size - TRAILER, 4))!.readUInt32LE(0);
    const json = (await readBytes(handle, size - TRAILER - length, length))!.toString();
    const hash = createFingerprint();
    const end = size - TRAILER - length - 1;
    if (end >= 0) for await (const chunk of createReadStream(file, { end, highWaterMark: 1 << 20 })) hash.update(chunk);
    hash.update(json.replace(`"checksum":"${checksum}"`, '"checksum":""'));
    if (hash.digest('hex') === checksum) return;
  } finally {
    await handle.close();
  }
  throw new DataError(`${file} is damaged (its checksum does not match): remove it, and the text is tokenised again.`);
}

/** Bytes of an open file; undefined where it is shorter. */
export async function readBytes(handle: FileHandle, offset: number, length: number): Promise<Buffer | undefined> {
  if (offset < 0) return undefined;
  const buffer = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(buffer, done, length - done, offset + done);
    if (bytesRead === 0) return undefined;
    done += bytesRead;
  }
  return buffer;
}
