import { type OptionKind, option } from '../base/options.ts';
/** Turns text into token ids and back. */
export interface Tokenizer {
  /** Number of ids, special tokens included: ids are `0 … vocabSize − 1`. */
  readonly vocabSize: number;
  /** Special tokens by their text. Where that text occurs in an input, `encode` gives its id. */
  readonly specials: ReadonlyMap<string, number>;
  /** Ids of the special tokens by what they are for; a role that no token plays is absent. */
  readonly specialTokens: SpecialTokens;
  /** Id that ends a document, `specialTokens.end`; undefined without one. */
  readonly endOfText: number | undefined;
  /** Ids of `text`. A lone surrogate, which UTF-8 cannot hold, is read as U+FFFD. */
  encode(text: string, options?: EncodeOptions): Int32Array;
  /**
   * Text of `ids`: that of `encode` again, except for characters that became the unknown token. Bytes that are not
   * UTF-8 become U+FFFD. @throws DataError for an id outside the vocabulary.
   */
  decode(ids: ArrayLike<number>): string;
  /** A decoder for ids that arrive one by one. */
  decodeStream(): TokenStream;
  /** UTF-8 bytes that `id` stands for. @throws DataError for an id outside the vocabulary, and where a token alone has no bytes. */
  bytesOf(id: number): Uint8Array;
  /** The object that Hugging Face's tokenizer.json holds; other libraries load it to the same ids. */
  toJSON(): TokenizerJson | ForeignTokenizerJson;
}

export interface EncodeOptions {
  /**
   * Put the special tokens around the text that tokenizer.json says, such as `[CLS]` and `[SEP]`, which encoders were
   * trained with. Tokenizers that this package makes put no tokens there. Default false.
   */
  readonly framed?: boolean;
}

/** A tokenizer.json that this package did not write. */
export type ForeignTokenizerJson = Readonly<Record<string, unknown>>;

/** What a special token is for. */
export type SpecialRole = 'padding' | 'mask' | 'unknown' | 'beginning' | 'end';

export interface SpecialTokens {
  /** Fills rows; nothing sees it. */
  readonly padding?: number | undefined;
  /** Hides a token that is to be predicted. */
  readonly mask?: number | undefined;
  /** Stands for what the vocabulary lacks. Absent from tokenizers of bytes, which lack nothing. */
  readonly unknown?: number | undefined;
  /** Starts a sequence. */
  readonly beginning?: number | undefined;
  /** Ends a sequence or document, and separates those that follow each other. */
  readonly end?: number | undefined;
}

/** The special tokens that config.json of a pretrained model names. */
export type SpecialIds = Pick<SpecialTokens, 'padding' | 'beginning' | 'end'>;

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

/** The parts of a tokenizer.json that this package writes: one of three forms. */
export type TokenizerJson = ByteLevelJson<ByteLevelModelJson> | CharacterJson;

export type ByteLevelModelJson = BpeModelJson<null> | UnigramModelJson;

/** Bytes, BPE and unigram: models over GPT-2's alphabet of bytes. */
export interface ByteLevelJson<Model extends ByteLevelModelJson> extends CommonJson {
  pre_tokenizer: { type: 'ByteLevel'; add_prefix_space: false; trim_offsets: true; use_regex: true };
  decoder: { type: 'ByteLevel'; add_prefix_space: true; trim_offsets: true; use_regex: true };
  model: Model;
}

/** Characters and proteins: BPE over characters, without merges. */
export interface CharacterJson extends CommonJson {
  pre_tokenizer: null;
  decoder: { type: 'Fuse' };
  model: BpeModelJson<string>;
}

interface CommonJson {
  version: '1.0';
  truncation: null;
  padding: null;
  added_tokens: AddedTokenJson[];
  normalizer: null;
  post_processor: null;
}

export interface BpeModelJson<Unknown> {
  type: 'BPE';
  dropout: null;
  unk_token: Unknown;
  continuing_subword_prefix: null;
  end_of_word_suffix: null;
  fuse_unk: false;
  byte_fallback: false;
  ignore_merges: false;
  vocab: Record<string, number>;
  merges: [left: string, right: string][];
}

export interface UnigramModelJson {
  type: 'Unigram';
  /** Nothing is unknown where every byte is a token. */
  unk_id: null;
  byte_fallback: false;
  /** By id: token and log-probability. */
  vocab: [token: string, score: number][];
}

const vocabularyKinds = {
  vocabSize: option.natural,
  specials: option.mapOf(option.natural),
  specialTokens: option.object,
};

/** What is known of a tokenizer's ids. */
export const vocabularyKind: OptionKind = option.having('a tokenizer', vocabularyKinds);

export const tokenizerKind: OptionKind = option.having('a tokenizer', {
  ...vocabularyKinds,
  encode: option.function,
  decode: option.function,
  decodeStream: option.function,
  toJSON: option.function,
});
