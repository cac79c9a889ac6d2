/** Turns text into token ids and back. Every tokenizer here is byte-level, so every well-formed string round-trips. */
export interface Tokenizer {
  /** Number of ids, special tokens included: ids are `0 … vocabSize − 1`. */
  readonly vocabSize: number;
  /** Special tokens by their text. Where that text occurs in an input, `encode` gives its id. */
  readonly specials: ReadonlyMap<string, number>;
  /** Id of `<|endoftext|>`, which ends a document; undefined without one. */
  readonly endOfText: number | undefined;
  /** Ids of `text`. A lone surrogate, which UTF-8 cannot hold, is read as U+FFFD. */
  encode(text: string): Int32Array;
  /** Text of `ids`. Bytes that are not UTF-8 become U+FFFD. @throws for an id outside the vocabulary. */
  decode(ids: ArrayLike<number>): string;
  /** A decoder for ids that arrive one by one. */
  decodeStream(): TokenStream;
  /** UTF-8 bytes that `id` stands for. @throws for an id outside the vocabulary. */
  bytesOf(id: number): Uint8Array;
  /** The object that Hugging Face's tokenizer.json holds; other libraries load it to the same ids. */
  toJSON(): TokenizerJson;
}

/** Decodes ids as they arrive and gives out only whole characters, never half of one. */
export interface TokenStream {
  /** Characters completed by these ids; often the empty string inside a character of several bytes. */
  push(ids: number | ArrayLike<number>): string;
  /** What is left: U+FFFD if the last character is incomplete. The stream can then be used afresh. */
  end(): string;
}

export interface AddedTokenJson {
  id: number;
  content: string;
  single_word: boolean;
  lstrip: boolean;
  rstrip: boolean;
  normalized: boolean;
  special: boolean;
}

/** The parts of a tokenizer.json that this package writes. */
export interface TokenizerJson {
  version: '1.0';
  truncation: null;
  padding: null;
  added_tokens: AddedTokenJson[];
  normalizer: null;
  pre_tokenizer: { type: 'ByteLevel'; add_prefix_space: false; trim_offsets: true; use_regex: true };
  post_processor: null;
  decoder: { type: 'ByteLevel'; add_prefix_space: true; trim_offsets: true; use_regex: true };
  model: {
    type: 'BPE';
    dropout: null;
    unk_token: null;
    continuing_subword_prefix: null;
    end_of_word_suffix: null;
    fuse_unk: false;
    byte_fallback: false;
    ignore_merges: false;
    vocab: Record<string, number>;
    merges: [left: string, right: string][];
  };
}

/** Text of the token that separates documents. */
export const END_OF_TEXT = '<|endoftext|>';
