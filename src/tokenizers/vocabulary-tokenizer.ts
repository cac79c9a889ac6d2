import { DataError } from '../base/errors.ts';
import { checkArguments, option } from '../base/options.ts';
import { type AddedToken, addedTokenToJson, patternOf, rolesOf } from './added-tokens.ts';
import { IdBuffer } from './byte-level/id-buffer.ts';
import { segmentsOf } from './text-segments.ts';
import type { SpecialTokens, Tokenizer, TokenizerJson, TokenStream } from './tokenizer.ts';

/** What the tokenizers of this package share: a list of tokens as bytes, special tokens found by their text, decoding. */
export abstract class VocabularyTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly specials: ReadonlyMap<string, number>;
  readonly specialTokens: SpecialTokens;
  readonly endOfText: number | undefined;
  /** Patterns of the added tokens, each to be applied to what the one before has left. */
  private readonly addedPatterns: readonly RegExp[];
  private readonly addedIds: ReadonlyMap<string, number>;

  /**
   * @param tokens bytes of every id, added tokens included
   * @param unknown id that stands for what the vocabulary lacks. Default: undefined.
   */
  protected constructor(
    protected readonly tokens: readonly Uint8Array[],
    protected readonly added: readonly AddedToken[],
    unknown?: number,
  ) {
    this.vocabSize = tokens.length;
    this.addedIds = new Map(added.map(({ content, id }) => [content, id]));
    this.specials = new Map(added.filter(({ special }) => special).map(({ content, id }) => [content, id]));
    this.specialTokens = unknown === undefined ? rolesOf(added) : { ...rolesOf(added), unknown };
    this.endOfText = this.specialTokens.end;
    this.addedPatterns = [added.filter((t) => !t.normalized), added.filter((t) => t.normalized)]
      .filter((group) => group.length > 0)
      .map((group) => patternOf(group.map(({ content }) => content)));
  }

  /** Appends the ids of text that holds no added token. */
  protected abstract encodePlain(text: string, ids: IdBuffer): void;

  abstract toJSON(): TokenizerJson;

  encode(text: string): Int32Array {
    checkArguments('VocabularyTokenizer.encode', { text }, { text: option.string });
    const ids = new IdBuffer();
    this.encodeSections(text, 0, ids);
    return ids.toArray();
  }

  decode(ids: ArrayLike<number>): string {
    checkArguments('VocabularyTokenizer.decode', { ids }, { ids: option.numbers });
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.join(ids));
  }

  decodeStream(): TokenStream {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      push: (ids) => decoder.decode(this.join(typeof ids === 'number' ? [ids] : ids), { stream: true }),
      end: () => decoder.decode(),
    };
  }

  bytesOf(id: number): Uint8Array {
    checkArguments('VocabularyTokenizer.bytesOf', { id }, { id: option.number });
    const bytes = this.tokens[id];
    if (bytes === undefined) {
      throw new DataError(
        `Token id ${id} is outside the vocabulary of ${this.vocabSize}; use ids from 0 to ${this.vocabSize - 1}.`,
      );
    }
    return bytes;
  }

  private encodeSections(text: string, level: number, ids: IdBuffer): void {
    const pattern = this.addedPatterns[level];
    if (pattern === undefined) {
      for (const segment of segmentsOf(text)) this.encodePlain(segment, ids);
      return;
    }
    let start = 0;
    for (const match of text.matchAll(pattern)) {
      this.encodeSections(text.slice(start, match.index), level + 1, ids);
      ids.push(this.addedIds.get(match[0])!);
      start = match.index + match[0].length;
    }
    this.encodeSections(start === 0 ? text : text.slice(start), level + 1, ids);
  }

  private join(ids: ArrayLike<number>): Uint8Array {
    let length = 0;
    for (let i = 0; i < ids.length; i++) length += this.bytesOf(ids[i]!).length;
    const bytes = new Uint8Array(length);
    let offset = 0;
    for (let i = 0; i < ids.length; i++) {
      const token = this.tokens[ids[i]!]!;
      bytes.set(token, offset);
      offset += token.length;
    }
    return bytes;
  }
}

/** How every tokenizer.json of this package begins. */
export function commonJson(added: readonly AddedToken[]) {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added.map(addedTokenToJson),
    normalizer: null,
  } as const;
}
