import { segmentsOf } from '../segments.ts';
import { END_OF_TEXT, type Tokenizer, type TokenizerJson, type TokenStream } from '../tokenizer.ts';
import { bytesToToken } from './byte-level.ts';

/** A token that is recognised by its text before anything else. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  /** Looked for only after the tokens for which this is false. */
  readonly normalized: boolean;
}

/** A growing list of ids. */
export class IdBuffer {
  length = 0;
  private data = new Int32Array(1024);

  push(id: number): void {
    if (this.length === this.data.length) this.reserve(1);
    this.data[this.length++] = id;
  }

  append(ids: Int32Array): void {
    if (this.length + ids.length > this.data.length) this.reserve(ids.length);
    // For a handful of ids a loop is faster than set().
    if (ids.length > 16) this.data.set(ids, this.length);
    else for (let i = 0; i < ids.length; i++) this.data[this.length + i] = ids[i]!;
    this.length += ids.length;
  }

  toArray(): Int32Array {
    return this.data.slice(0, this.length);
  }

  private reserve(extra: number): void {
    const data = new Int32Array(Math.max(2 * this.data.length, this.length + extra));
    data.set(this.data);
    this.data = data;
  }
}

/** What the byte and the BPE tokenizer share: special tokens, decoding and tokenizer.json. */
export abstract class ByteLevelTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly specials: ReadonlyMap<string, number>;
  readonly endOfText: number | undefined;
  /** Patterns of the added tokens, each to be applied to what the one before has left. */
  private readonly addedPatterns: readonly RegExp[];
  private readonly addedIds: ReadonlyMap<string, number>;

  /**
   * @param tokens bytes of every id, added tokens included
   * @param merges pairs of ids, the first to be merged first
   */
  protected constructor(
    private readonly tokens: readonly Uint8Array[],
    private readonly merges: readonly (readonly [left: number, right: number])[],
    private readonly added: readonly AddedToken[],
  ) {
    this.vocabSize = tokens.length;
    this.addedIds = new Map(added.map(({ content, id }) => [content, id]));
    this.specials = new Map(added.filter(({ special }) => special).map(({ content, id }) => [content, id]));
    this.endOfText = this.addedIds.get(END_OF_TEXT);
    this.addedPatterns = [added.filter((t) => !t.normalized), added.filter((t) => t.normalized)]
      .filter((group) => group.length > 0)
      .map(patternOf);
  }

  /** Appends the ids of text that holds no added token. */
  protected abstract encodePlain(text: string, ids: IdBuffer): void;

  encode(text: string): Int32Array {
    const ids = new IdBuffer();
    this.encodeSections(text, 0, ids);
    return ids.toArray();
  }

  decode(ids: ArrayLike<number>): string {
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
    const bytes = this.tokens[id];
    if (bytes === undefined) {
      throw new RangeError(
        `Token id ${id} is outside the vocabulary of ${this.vocabSize}; use ids from 0 to ${this.vocabSize - 1}.`,
      );
    }
    return bytes;
  }

  toJSON(): TokenizerJson {
    const isAdded = new Set(this.added.map(({ id }) => id));
    const names = this.tokens.map((bytes, id) => (isAdded.has(id) ? '' : bytesToToken(bytes)));
    const vocab = Object.fromEntries(names.map((name, id) => [name, id]).filter(([name]) => name !== ''));
    return {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: this.added.map(({ id, content, special, normalized }) => ({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized,
        special,
      })),
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: null,
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab,
        merges: this.merges.map(([left, right]) => [names[left]!, names[right]!]),
      },
    };
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

/** Matches any of the tokens, the longest first. */
export function patternOf(tokens: readonly { readonly content: string }[]): RegExp {
  const byLength = tokens.map(({ content }) => content).sort((a, b) => b.length - a.length);
  return new RegExp(byLength.map((content) => content.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');
}

/** The `<|endoftext|>` token with this id. */
export function endOfTextToken(id: number): AddedToken {
  return { id, content: END_OF_TEXT, special: true, normalized: false };
}
