import { DataError } from '../../base/errors.ts';
import { Pauses, type Stoppable } from '../../base/event-loop.ts';
import { checkArguments, checkOptions, type OptionKind, option } from '../../base/options.ts';
import { segments } from '../../tokenizers/text-segments.ts';
import type { Tokenizer } from '../../tokenizers/tokenizer.ts';
import { tokenizerKind } from '../../tokenizers/tokenizer.ts';
import {
  countCharacters,
  type DocumentPart,
  documentParts,
  type Part,
  type PartName,
  planSplit,
  type SplitPlan,
  type SplitRule,
  textDocuments,
} from '../dataset/text-split.ts';

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
}

/** One part of a tokenised corpus. */
export interface TokenSplit extends TokenCounts {
  /** Tokens `offset … offset + length − 1`. @throws if these are not all inside. */
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

/**
 * Tokenises texts, one document each, into memory.
 *
 * @throws as `planSplit` does
 */
export async function fromTexts(
  texts: readonly string[],
  tokenizer: Tokenizer,
  rule: SplitRule,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<TokenStore> {
  checkArguments(
    'fromTexts',
    { texts, tokenizer, rule },
    {
      texts: option.strings,
      tokenizer: tokenizerKind,
      rule: option.object,
    },
  );
  checkOptions<Stoppable>('fromTexts', options, { signal: option.signal });
  const plan = await planSplit(textDocuments(texts), rule, options);
  const gather = async (part: Part): Promise<TokenSplit> => {
    const chunks: Int32Array[] = [];
    const write = async (ids: Int32Array) => {
      chunks.push(ids);
    };
    const counts = await tokenizePart(plan, part, tokenizer, write, options.signal);
    const tokens = new Int32Array(counts.length);
    let offset = 0;
    for (const chunk of chunks) {
      tokens.set(chunk, offset);
      offset += chunk.length;
    }
    return {
      ...counts,
      read: async (start, length) => {
        checkRange(start, length, tokens.length);
        return tokens.slice(start, start + length);
      },
    };
  };
  return {
    vocabSize: tokenizer.vocabSize,
    train: await gather('train'),
    heldOut: await gather('heldOut'),
    test: noTokens,
    outOfDistribution: noTokens,
    close: async () => {},
  };
}

const noTokens: TokenSplit = {
  length: 0,
  characters: 0,
  bytes: 0,
  documents: [],
  read: async (start, length) => {
    checkRange(start, length, 0);
    return new Int32Array(0);
  },
};

/** Hands the tokens of one part to `write`, in order, and returns their counts. Memory does not grow with the text. */
export async function tokenizePart(
  plan: SplitPlan,
  part: Part,
  tokenizer: Tokenizer,
  write: (ids: Int32Array) => Promise<void>,
  signal?: AbortSignal,
): Promise<TokenCounts> {
  const counter = new PartCounter(tokenizer, write, signal);
  for (const document of documentParts(plan, part)) await counter.add(document);
  return counter.counts;
}

/** What a part holds of one document, and the document's class. */
export interface TokenizedPiece extends Pick<DocumentPart, 'read' | 'endsDocument'> {
  readonly label?: number | undefined;
}

/** Tokenises documents of one part one after the other, and counts. Either all documents have a label or no document. */
export class PartCounter {
  #length = 0;
  #characters = 0;
  #bytes = 0;
  readonly #documents: number[] = [];
  readonly #labels: number[] = [];
  readonly #encoder = new TextEncoder();
  readonly #pauses: Pauses;

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly write: (ids: Int32Array) => Promise<void> | undefined,
    signal?: AbortSignal,
  ) {
    this.#pauses = new Pauses(signal);
  }

  get counts(): TokenCounts {
    const documents = this.#documents;
    const labels = this.#labels.length > 0 && this.#labels.length === documents.length ? this.#labels : undefined;
    return {
      length: this.#length,
      characters: this.#characters,
      bytes: this.#bytes,
      documents,
      ...(labels && { labels }),
    };
  }

  async add({ read, endsDocument, label }: TokenizedPiece): Promise<void> {
    const start = this.#length;
    await this.#pauses.next();
    for await (const segment of segments(read())) {
      await this.#pauses.next();
      this.#characters += countCharacters(segment);
      this.#bytes += this.#encoder.encode(segment).length;
      await this.#emit(this.tokenizer.encode(segment));
    }
    const { endOfText } = this.tokenizer;
    if (endsDocument && endOfText !== undefined) await this.#emit(Int32Array.of(endOfText));
    // A document without tokens has no place, and then no label.
    if (this.#length === start) return;
    this.#documents.push(start);
    if (label !== undefined) this.#labels.push(label);
  }

  #emit(ids: Int32Array): Promise<void> | undefined {
    this.#length += ids.length;
    return this.write(ids);
  }
}

/** @throws unless `offset … offset + length − 1` is inside `0 … size − 1`. */
export function checkRange(offset: number, length: number, size: number): void {
  if (!Number.isInteger(offset) || !Number.isInteger(length) || offset < 0 || length < 0 || offset + length > size) {
    throw new DataError(`Tokens ${offset} to ${offset + length} are not inside the ${size} tokens of this part.`);
  }
}

export const tokenSplitKind: OptionKind = option.having('a part of tokenised texts, such as fromTexts() gives', {
  length: option.natural,
  characters: option.natural,
  documents: option.numbers,
  read: option.function,
});
