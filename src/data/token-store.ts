import { segments } from './segments.ts';
import {
  countCharacters,
  documentParts,
  type Part,
  planSplit,
  type SplitPlan,
  type SplitRule,
  textDocuments,
} from './split.ts';
import type { Tokenizer } from './tokenizer.ts';

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
}

/** The training or the held-out part of a tokenised corpus. */
export interface TokenSplit extends TokenCounts {
  /** Tokens `offset … offset + length − 1`. @throws if these are not all inside. */
  read(offset: number, length: number): Promise<Int32Array>;
}

/**
 * A corpus, tokenised once. Where the tokenizer has `<|endoftext|>`, every document ends with it; it counts as a token
 * but as no character.
 */
export interface TokenStore {
  readonly vocabSize: number;
  readonly train: TokenSplit;
  /** Empty where the rule is `{ by: 'none' }`. */
  readonly heldOut: TokenSplit;
  /** Releases the file, if there is one. */
  close(): Promise<void>;
}

/**
 * Tokenises texts, one document each, into memory.
 *
 * @throws as `planSplit` does
 */
export async function fromTexts(texts: readonly string[], tokenizer: Tokenizer, rule: SplitRule): Promise<TokenStore> {
  const plan = await planSplit(textDocuments(texts), rule);
  const gather = async (part: Part): Promise<TokenSplit> => {
    const chunks: Int32Array[] = [];
    const counts = await tokenizePart(plan, part, tokenizer, async (ids) => {
      chunks.push(ids);
    });
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
  const train = await gather('train');
  return { vocabSize: tokenizer.vocabSize, train, heldOut: await gather('heldOut'), close: async () => {} };
}

/** Hands the tokens of one part to `write`, in order, and returns their counts. Memory does not grow with the text. */
export async function tokenizePart(
  plan: SplitPlan,
  part: Part,
  tokenizer: Tokenizer,
  write: (ids: Int32Array) => Promise<void>,
): Promise<TokenCounts> {
  const documents: number[] = [];
  const encoder = new TextEncoder();
  let length = 0;
  let characters = 0;
  let bytes = 0;
  const emit = async (ids: Int32Array) => {
    length += ids.length;
    await write(ids);
  };
  for (const document of documentParts(plan, part)) {
    const start = length;
    for await (const segment of segments(document.read())) {
      characters += countCharacters(segment);
      bytes += encoder.encode(segment).length;
      await emit(tokenizer.encode(segment));
    }
    if (document.endsDocument && tokenizer.endOfText !== undefined) await emit(Int32Array.of(tokenizer.endOfText));
    if (length > start) documents.push(start);
  }
  return { length, characters, bytes, documents };
}

/** @throws unless `offset … offset + length − 1` is inside `0 … size − 1`. */
export function checkRange(offset: number, length: number, size: number): void {
  if (!Number.isInteger(offset) || !Number.isInteger(length) || offset < 0 || length < 0 || offset + length > size) {
    throw new RangeError(`Tokens ${offset} to ${offset + length} are not inside the ${size} tokens of this part.`);
  }
}
