import { ConfigurationError, DataError } from '../../base/errors.ts';
import { Pauses, type Stoppable } from '../../base/event-loop.ts';
import { type OptionKind, option } from '../../base/options.ts';
import { segments } from '../../tokenizers/text-segments.ts';
import type { Tokenizer } from '../../tokenizers/tokenizer.ts';
import type { DatasetSplitter } from '../dataset/document-split.ts';
import { type DatasetDocument, type DocumentPiece, type PartName, partNames } from '../dataset/documents.ts';
import { countCharacters } from '../dataset/tail-split.ts';

/** What is known of one part of a tokenised corpus. */
export interface TokenCounts {
  /** Number of tokens. */
  readonly length: number;
  /** Unicode code points of the text, for bits per character. */
  readonly characters: number;
  /** UTF-8 bytes of the text. */
  readonly bytes: number;
  /** Where each document, or what the split left of it, starts: ascending offsets in tokens, the first 0. */
  readonly documents: readonly number[];
  /** The class of each of these documents, from 0; undefined where the data has no classes. */
  readonly labels?: readonly number[] | undefined;
  /** What each of these documents belongs to, such as an organism; undefined where no document belongs to anything. */
  readonly groups?: readonly (string | undefined)[] | undefined;
}

/** One part of a tokenised corpus. */
export interface TokenSplit extends TokenCounts {
  /** Tokens `offset … offset + length − 1`. @throws DataError if these are not all inside. */
  read(offset: number, length: number): Promise<Int32Array>;
}

/**
 * A corpus, tokenised once. Where the tokenizer has `<|endoftext|>`, every document ends with it; it counts as a token
 * but as no character. Parts that the split does not make are empty.
 */
export interface TokenStore extends Readonly<Record<PartName, TokenSplit>> {
  readonly vocabSize: number;
  /** Releases the file, if there is one. */
  close(): Promise<void>;
}

/** What tokenising takes of a tokenizer. */
export type TokenEncoder = Pick<Tokenizer, 'encode' | 'vocabSize'> & Partial<Pick<Tokenizer, 'endOfText'>>;

/** Takes the pieces of documents, each into its part. */
export interface TokenSink {
  add(part: PartName, piece: DocumentPiece): Promise<void>;
}

/** Divides and tokenises documents in one pass. @returns how many there were */
export async function tokenizeDocuments(
  documents: AsyncIterable<DatasetDocument>,
  splitter: DatasetSplitter,
  sink: TokenSink,
  { signal }: Stoppable,
): Promise<number> {
  const pauses = new Pauses(signal);
  let count = 0;
  for await (const document of documents) {
    count++;
    await pauses.next();
    for await (const piece of splitter.divide(document)) await sink.add(piece.part, piece);
  }
  if (count > 0) splitter.check();
  return count;
}

export interface CounterOptions extends Stoppable {
  /** Tokens of a document that are kept, its first; all characters are counted. Default: all. */
  readonly maxLength?: number | undefined;
}

/** Tokenises documents of one part one after the other, and counts. Either all documents have a label or no document. */
export class PartCounter {
  #length = 0;
  #characters = 0;
  #bytes = 0;
  readonly #documents: number[] = [];
  readonly #labels: number[] = [];
  readonly #groups: (string | undefined)[] = [];
  readonly #encoder = new TextEncoder();
  readonly #pauses: Pauses;
  readonly #maxLength: number;

  constructor(
    private readonly tokenizer: TokenEncoder,
    private readonly write: (ids: Int32Array) => Promise<void> | undefined,
    { signal, maxLength = Number.POSITIVE_INFINITY }: CounterOptions = {},
  ) {
    if (!(maxLength >= 1)) throw new ConfigurationError(`maxLength is ${maxLength}; use a positive number.`);
    this.#pauses = new Pauses(signal);
    this.#maxLength = maxLength;
  }

  get counts(): TokenCounts {
    return {
      length: this.#length,
      characters: this.#characters,
      bytes: this.#bytes,
      documents: this.#documents,
      ...(this.#labels.length > 0 && { labels: this.#labels }),
      ...(this.#groups.some((group) => group !== undefined) && { groups: this.#groups }),
    };
  }

  /** @throws DataError for a class that is not an integer from 0, and where only some documents have a class */
  async add({ read, endsDocument, label, group }: DocumentPiece): Promise<void> {
    const start = this.#length;
    const number = this.#documents.length + 1;
    if (label !== undefined && (!Number.isInteger(label) || label < 0)) {
      throw new DataError(`Document ${number} has class ${label}; number classes from 0.`);
    }
    const end = start + this.#maxLength;
    await this.#pauses.next();
    for await (const segment of segments(read())) {
      await this.#pauses.next();
      this.#characters += countCharacters(segment);
      this.#bytes += this.#encoder.encode(segment).length;
      if (this.#length < end) await this.#emit(this.tokenizer.encode(segment), end);
    }
    const { endOfText } = this.tokenizer;
    if (endsDocument && endOfText !== undefined && this.#length < end) await this.#emit(Int32Array.of(endOfText), end);
    // A document without tokens has no position, and then no label.
    if (this.#length === start) return;
    if (number > 1 && (label !== undefined) !== this.#labels.length > 0) {
      throw new DataError(`Document ${number} has ${label === undefined ? 'no' : 'a'} class, unlike those before.`);
    }
    this.#documents.push(start);
    this.#groups.push(group);
    if (label !== undefined) this.#labels.push(label);
  }

  #emit(ids: Int32Array, end: number): Promise<void> | undefined {
    const { vocabSize } = this.tokenizer;
    const kept = this.#length + ids.length > end ? ids.subarray(0, end - this.#length) : ids;
    for (let i = 0; i < kept.length; i++) {
      const id = kept[i]!;
      if (id < 0 || id >= vocabSize) {
        throw new DataError(`The tokenizer gave token ${id}, which its vocabulary of ${vocabSize} does not have.`);
      }
    }
    this.#length += kept.length;
    return this.write(kept);
  }
}

/** The array that holds ids in memory as compactly as files do: of 1, 2 or 4 bytes a token. */
export const packedArray = (vocabSize: number) =>
  vocabSize <= 256 ? Uint8Array : vocabSize <= 65536 ? Uint16Array : Uint32Array;

/** Tokenises into memory. */
export class TokenMemory implements TokenSink {
  readonly #parts = new Map<PartName, { counter: PartCounter; chunks: ArrayLike<number>[] }>();

  /** @param onWrite is told the number of tokens that are written */
  constructor(
    private readonly tokenizer: TokenEncoder,
    private readonly options: CounterOptions,
    private readonly onWrite: (tokens: number) => void = () => {},
  ) {}

  async add(name: PartName, piece: DocumentPiece): Promise<void> {
    let part = this.#parts.get(name);
    if (part === undefined) {
      const chunks: ArrayLike<number>[] = [];
      const write = (ids: Int32Array) => {
        chunks.push(packedArray(this.tokenizer.vocabSize).from(ids));
        this.onWrite(ids.length);
        return undefined;
      };
      part = { counter: new PartCounter(this.tokenizer, write, this.options), chunks };
      this.#parts.set(name, part);
    }
    await part.counter.add(piece);
  }

  finish(): TokenStore {
    const { vocabSize } = this.tokenizer;
    const parts = partNames.map((name): [PartName, TokenSplit] => {
      const { counter, chunks = [] } = this.#parts.get(name) ?? {};
      const counts = counter?.counts ?? noTokens;
      const tokens = new (packedArray(vocabSize))(counts.length);
      let at = 0;
      for (const chunk of chunks.splice(0)) {
        tokens.set(chunk, at);
        at += chunk.length;
      }
      const read = async (start: number, length: number) => {
        checkRange(start, length, tokens.length);
        return Int32Array.from(tokens.subarray(start, start + length));
      };
      return [name, { ...counts, read }];
    });
    return { ...(Object.fromEntries(parts) as Record<PartName, TokenSplit>), vocabSize, close: async () => {} };
  }
}

/** What is known of a part without documents. */
export const noTokens: TokenCounts = { length: 0, characters: 0, bytes: 0, documents: [] };

/** @throws DataError unless `offset … offset + length − 1` is inside `0 … size − 1`. */
export function checkRange(offset: number, length: number, size: number): void {
  if (!Number.isInteger(offset) || !Number.isInteger(length) || offset < 0 || length < 0 || offset + length > size) {
    throw new DataError(`Tokens ${offset} to ${offset + length} are not inside the ${size} tokens of this part.`);
  }
}

const splitMembersKind = option.having('a part of tokenised texts, such as fromTexts() gives', {
  length: option.natural,
  characters: option.natural,
  documents: option.numbers,
  labels: option.optional(option.numbers),
  read: option.function,
});

export const encoderKind: OptionKind = option.having('a tokenizer', {
  vocabSize: option.natural,
  encode: option.function,
  endOfText: option.optional(option.natural),
});
export const tokenSplitKind: OptionKind = {
  ...splitMembersKind,
  wanted: 'a part of tokenised texts whose documents start one after another',
  accepts: (value) => splitMembersKind.accepts(value) && hasOrderedStarts(value as TokenSplit),
};

function hasOrderedStarts({ documents, length }: TokenSplit): boolean {
  let last = 0;
  for (let i = 0; i < documents.length; i++) {
    const start = documents[i]!;
    if (!Number.isInteger(start) || start < last || start > length) return false;
    last = start;
  }
  return true;
}
