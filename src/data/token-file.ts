/**
 * A tokenised corpus as a file: the training tokens, the held-out tokens, each a little-endian uint16 (uint32 where the
 * vocabulary is larger than 65,536), then a JSON footer, its length as uint32, and {@link MAGIC}.
 */
import { Buffer } from 'node:buffer';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { z } from '../tensor/zod.ts';
import { openText } from './files.ts';
import { type Part, planSplit, type SplitPlan, type SplitRule, type TextDocument } from './split.ts';
import { checkRange, type TokenCounts, type TokenSplit, type TokenStore, tokenizePart } from './token-store.ts';
import type { Tokenizer } from './tokenizer.ts';

const MAGIC = 'PERFTOK1';
const TRAILER = 4 + MAGIC.length;

export interface TokenFileOptions {
  /** Where the tokens are kept. */
  readonly file: string;
  readonly split: SplitRule;
  /** Called now and then with the number of tokens written. */
  readonly onProgress?: (tokens: number) => void;
}

export interface TokenFileStore extends TokenStore {
  /** Whether an earlier file could be used as it was. */
  readonly reused: boolean;
  /** SHA-256 of the training tokens: equal for equal data, wherever it lies. */
  readonly fingerprint: string;
}

const countsSchema = () => {
  const count = z.int().check(z.minimum(0));
  return z.object({ length: count, characters: count, bytes: count, documents: z.array(count) });
};

const footerSchema = z.lazy(() =>
  z.object({
    /** Everything that the contents depend on. */
    key: z.string(),
    bytesPerToken: z.union([z.literal(2), z.literal(4)]),
    train: countsSchema(),
    heldOut: countsSchema(),
    /** SHA-256 of the training tokens. */
    fingerprint: z.string(),
  }),
);

type Footer = z.infer<typeof footerSchema>;

/** Files as documents for `planSplit` and `splitText`. */
export function fileDocuments(paths: readonly string[]): TextDocument[] {
  return paths.map((path) => ({ name: path, read: () => openText(path) }));
}

/**
 * Tokenises files, one document each, into `options.file`, or uses that file if paths, sizes, modification times,
 * tokenizer and split are what they were. The file appears only once it is complete.
 *
 * @throws as `openText` and `planSplit` do, and when the file cannot be written; an earlier file then stays as it was
 */
export async function tokenizeFiles(
  paths: readonly string[],
  tokenizer: Tokenizer,
  options: TokenFileOptions,
): Promise<TokenFileStore> {
  const { file, split } = options;
  const key = await keyOf(paths, tokenizer, split);
  const earlier = await readFooter(file);
  const reused = earlier?.key === key;
  const footer = reused ? earlier : await writeTokens(paths, tokenizer, key, options);
  return openTokens(file, footer, tokenizer.vocabSize, reused);
}

async function keyOf(paths: readonly string[], tokenizer: Tokenizer, split: SplitRule): Promise<string> {
  const { createHash } = await import('node:crypto');
  const tokenizerHash = createHash('sha256').update(JSON.stringify(tokenizer.toJSON())).digest('hex');
  const inputs = await Promise.all(
    paths.map(async (path) => {
      const entry = await stat(path).catch(() => undefined);
      return [resolve(path), entry?.size ?? null, entry?.mtimeMs ?? null];
    }),
  );
  return JSON.stringify({ split, tokenizer: tokenizerHash, inputs });
}

async function writeTokens(
  paths: readonly string[],
  tokenizer: Tokenizer,
  key: string,
  { file, split, onProgress }: TokenFileOptions,
): Promise<Footer> {
  const plan = await planSplit(fileDocuments(paths), split);
  const temporary = `${file}.${process.pid}.tmp`;
  const writer = await attempt(file, () => open(temporary, 'w'));
  try {
    const bytesPerToken = tokenizer.vocabSize <= 65536 ? 2 : 4;
    let written = 0;
    const { createHash } = await import('node:crypto');
    const hash = createHash('sha256');
    const writePart = (part: Part, plan: SplitPlan) =>
      tokenizePart(plan, part, tokenizer, async (ids) => {
        const packed = pack(ids, bytesPerToken);
        if (part === 'train') hash.update(packed);
        await attempt(file, () => writer.appendFile(packed));
        written += ids.length;
        onProgress?.(written);
      });
    const train = await writePart('train', plan);
    const footer: Footer = {
      key,
      bytesPerToken,
      train: plain(train),
      heldOut: plain(await writePart('heldOut', plan)),
      fingerprint: hash.digest('hex'),
    };
    await attempt(file, async () => {
      await writer.appendFile(packFooter(footer));
      await writer.sync();
      await writer.close();
      await rename(temporary, file);
    });
    return footer;
  } catch (error) {
    await writer.close().catch(() => {});
    await rm(temporary, { force: true });
    throw error;
  }
}

const plain = (counts: TokenCounts) => ({ ...counts, documents: [...counts.documents] });

async function attempt<T>(file: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${file} cannot be written (${reason}); check the folder, its permissions and the free space.`, {
      cause: error,
    });
  }
}

function pack(ids: Int32Array, bytesPerToken: 2 | 4): Buffer {
  const buffer = Buffer.alloc(ids.length * bytesPerToken);
  const view = new DataView(buffer.buffer, buffer.byteOffset);
  if (bytesPerToken === 2) ids.forEach((id, i) => void view.setUint16(2 * i, id, true));
  else ids.forEach((id, i) => void view.setUint32(4 * i, id, true));
  return buffer;
}

function unpack(buffer: Buffer, bytesPerToken: 2 | 4): Int32Array {
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  const ids = new Int32Array(buffer.length / bytesPerToken);
  for (let i = 0; i < ids.length; i++) {
    ids[i] = bytesPerToken === 2 ? view.getUint16(2 * i, true) : view.getUint32(4 * i, true);
  }
  return ids;
}

function packFooter(footer: Footer): Buffer {
  const json = Buffer.from(JSON.stringify(footer));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([json, length, Buffer.from(MAGIC)]);
}

/** The footer of a complete token file; undefined for anything else, which is then written anew. */
async function readFooter(file: string): Promise<Footer | undefined> {
  const handle = await open(file).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const { size } = await handle.stat();
    const trailer = await readBytes(handle, size - TRAILER, TRAILER);
    if (trailer?.toString('latin1', 4) !== MAGIC) return undefined;
    const length = trailer.readUInt32LE(0);
    const json = await readBytes(handle, size - TRAILER - length, length);
    const { data } = footerSchema.safeParse(JSON.parse(json?.toString() ?? 'null'));
    const isComplete =
      data !== undefined && size === data.bytesPerToken * (data.train.length + data.heldOut.length) + length + TRAILER;
    return isComplete ? data : undefined;
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}

async function readBytes(handle: FileHandle, offset: number, length: number): Promise<Buffer | undefined> {
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

async function openTokens(file: string, footer: Footer, vocabSize: number, reused: boolean): Promise<TokenFileStore> {
  const handle = await open(file);
  const { bytesPerToken } = footer;
  const part = (counts: TokenCounts, first: number): TokenSplit => ({
    ...counts,
    read: async (offset, length) => {
      checkRange(offset, length, counts.length);
      const buffer = await readBytes(handle, (first + offset) * bytesPerToken, length * bytesPerToken);
      if (buffer === undefined) throw new Error(`${file} has been cut short; delete it and tokenise again.`);
      const ids = unpack(buffer, bytesPerToken);
      const foreign = ids.find((id) => id >= vocabSize);
      if (foreign !== undefined) {
        throw new Error(`${file} holds token ${foreign}, beyond the vocabulary of ${vocabSize}; delete the file.`);
      }
      return ids;
    },
  });
  return {
    vocabSize,
    train: part(footer.train, 0),
    heldOut: part(footer.heldOut, footer.train.length),
    close: () => handle.close(),
    reused,
    fingerprint: footer.fingerprint,
  };
}
