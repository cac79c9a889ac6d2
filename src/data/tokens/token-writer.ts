import { Buffer } from 'node:buffer';
import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { explainWriteError } from '../../base/write-errors.ts';
import type { Tokenizer } from '../../tokenizers/tokenizer.ts';
import { type DocumentPiece, type PartName, partNames } from '../dataset/documents.ts';
import type { ReadingReport } from '../formats/records.ts';
import { createFingerprint } from './fingerprint.ts';
import { packFooter, packNumbers, type TokenFooter } from './token-footer.ts';
import { noTokens, PartCounter, packedArray, type TokenCounts, type TokenSink } from './token-store.ts';

/** Bytes gathered before they are written. */
const BLOCK = 1 << 20;

/**
 * Writes a token file in one pass over documents whose parts come in any order. Each part goes into a file of its own
 * beside it; in the end these are put together. The file appears only once it is complete. Memory does not grow with
 * the text.
 */
export class TokenFileWriter implements TokenSink {
  #written = 0;
  readonly #parts = new Map<PartName, PartFile>();
  readonly #bytesPerToken: 1 | 2 | 4;

  private constructor(
    private readonly file: string,
    private readonly tokenizer: Tokenizer,
    private readonly hash: Hash,
    private readonly onProgress: (tokens: number) => void,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.#bytesPerToken = packedArray(tokenizer.vocabSize).BYTES_PER_ELEMENT as 1 | 2 | 4;
  }

  /**
   * @param onProgress told the number of tokens at every block that is written
   * @throws FileError if the file cannot be written
   */
  static async create(
    file: string,
    tokenizer: Tokenizer,
    onProgress: (tokens: number) => void = () => {},
    signal?: AbortSignal,
  ): Promise<TokenFileWriter> {
    const writer = new TokenFileWriter(file, tokenizer, createFingerprint(), onProgress, signal);
    await writer.#part('train');
    return writer;
  }

  /** Tokenises a document, or what the split leaves of it. */
  async add(name: PartName, document: DocumentPiece): Promise<void> {
    const part = this.#parts.get(name) ?? (await this.#part(name));
    await part.counter.add(document);
  }

  /** Completes the file. @throws DataError if there is nothing to train on, FileError if the file cannot be written */
  async finish(key: string, { bad, skipped, notes = [] }: ReadingReport): Promise<TokenFooter> {
    const counts = partNames.map((name) => this.#countsOf(name));
    const parts = Object.fromEntries(
      counts.map(({ length, characters, bytes, documents, labels, groups }, i) => {
        const has = { ...(labels && { hasLabels: true }), ...(groups && { hasGroups: true }) };
        return [partNames[i], { length, characters, bytes, numDocuments: documents.length, ...has }];
      }),
    ) as TokenFooter['parts'];
    const groupNames = [...new Set(counts.flatMap(({ groups = [] }) => groups.filter((group) => group !== undefined)))];
    const indices = new Map(groupNames.map((name, index) => [name, index]));
    const numbers = [
      ...counts.map(({ documents }) => documents),
      ...counts.map(({ labels = [] }) => labels),
      ...counts.map(({ groups = [] }) => groups.map((group) => (group === undefined ? -1 : indices.get(group)!))),
    ];
    for (const part of this.#parts.values()) await part.flush();
    // The training tokens come first in the file.
    const rest = this.hash.copy();
    await attempt(this.file, async () => {
      const { handle } = this.#parts.get('train')!;
      for (const name of partNames.slice(1)) {
        const part = this.#parts.get(name);
        if (!part) continue;
        for await (const chunk of createReadStream(part.path)) {
          rest.update(chunk as Buffer);
          await handle.appendFile(chunk as Buffer);
        }
      }
    });
    const footer: TokenFooter = {
      key,
      bytesPerToken: this.#bytesPerToken,
      parts,
      ...(groupNames.length > 0 && { groupNames }),
      fingerprint: this.hash.digest('hex'),
      bad: { count: bad.count, examples: [...bad.examples] },
      skipped: Object.fromEntries(skipped),
      notes: [...notes],
    };
    await attempt(this.file, async () => {
      const { handle, path } = this.#parts.get('train')!;
      for (const each of numbers) {
        const packed = packNumbers(each);
        rest.update(packed);
        await handle.appendFile(packed);
      }
      await handle.appendFile(packFooter(footer, rest));
      await handle.sync();
      await handle.close();
      await rename(path, this.file);
    });
    await this.abandon();
    return footer;
  }

  /** Removes what is not complete. */
  async abandon(): Promise<void> {
    for (const { handle, path } of this.#parts.values()) {
      await handle.close().catch(() => {});
      await rm(path, { force: true });
    }
  }

  #countsOf(name: PartName): TokenCounts {
    return this.#parts.get(name)?.counter.counts ?? noTokens;
  }

  async #part(name: PartName): Promise<PartFile> {
    const path = `${this.file}.${process.pid}.${name}.tmp`;
    const handle = await attempt(this.file, () => open(path, 'w'));
    const blocks = new Blocks(this.#bytesPerToken, async (block) => {
      if (name === 'train') this.hash.update(block);
      await attempt(this.file, () => handle.appendFile(block));
      this.onProgress(this.#written);
    });
    const write = (ids: Int32Array) => {
      this.#written += ids.length;
      return blocks.write(ids);
    };
    const counter = new PartCounter(this.tokenizer, write, { signal: this.signal });
    const part = { path, handle, counter, flush: () => blocks.flush() };
    this.#parts.set(name, part);
    return part;
  }
}

interface PartFile {
  readonly path: string;
  readonly handle: FileHandle;
  readonly counter: PartCounter;
  flush(): Promise<void>;
}

/** Gathers ids into blocks of bytes. */
class Blocks {
  readonly #block = Buffer.alloc(BLOCK);
  #length = 0;

  constructor(
    private readonly bytesPerToken: 1 | 2 | 4,
    private readonly consume: (block: Buffer) => Promise<void>,
  ) {}

  /** Waits only where a block is full. */
  write(ids: Int32Array): Promise<void> | undefined {
    const room = (BLOCK - this.#length) / this.bytesPerToken;
    if (ids.length > room) return this.#writeOver(ids, room);
    this.#put(ids);
    return undefined;
  }

  async flush(): Promise<void> {
    if (this.#length > 0) await this.consume(this.#block.subarray(0, this.#length));
    this.#length = 0;
  }

  async #writeOver(ids: Int32Array, room: number): Promise<void> {
    this.#put(ids.subarray(0, room));
    await this.flush();
    await this.write(ids.subarray(room));
  }

  #put(ids: Int32Array): void {
    const block = this.#block;
    let at = this.#length;
    if (this.bytesPerToken === 1) {
      block.set(ids, at);
      at += ids.length;
    } else if (this.bytesPerToken === 2) {
      for (const id of ids) {
        block[at++] = id;
        block[at++] = id >> 8;
      }
    } else {
      for (const id of ids) at = block.writeUInt32LE(id, at);
    }
    this.#length = at;
  }
}

async function attempt<T>(file: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw explainWriteError(error, file);
  }
}
