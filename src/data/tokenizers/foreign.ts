import type { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { DataError, PlatformError } from '../../base/errors.ts';
import type { EncodeOptions, ForeignTokenizerJson, SpecialTokens, Tokenizer, TokenStream } from '../tokenizer.ts';
import { rolesOf } from './added-tokens.ts';
import { tokenToBytes } from './byte-level.ts';

/**
 * A tokenizer of any tokenizer.json. Its `decode` gives the text as far as the file's decoder restores it, and its
 * `bytesOf` throws unless the file is byte-level.
 */
export interface ForeignTokenizer extends Tokenizer {
  toJSON(): ForeignTokenizerJson;
}

/**
 * Makes a tokenizer from a tokenizer.json of any form that the package `@huggingface/tokenizers` knows, such as WordPiece
 * (BERT) or unigram with `▁` (T5). `loadTokenizer` is many times faster where the form is one of its own.
 *
 * @param name what error messages call the source, such as its path
 * @throws in one sentence, if that package is not installed or does not know the form
 */
export async function loadForeignTokenizer(json: unknown, name = 'tokenizer.json'): Promise<ForeignTokenizer> {
  const { Tokenizer } = await import('@huggingface/tokenizers').catch((error: Error) => {
    throw new PlatformError(
      `${name} needs the package @huggingface/tokenizers: install it with npm install @huggingface/tokenizers.`,
      { cause: error },
    );
  });
  if (typeof json !== 'object' || json === null) {
    throw new DataError(`${name} holds no object: give the contents of a tokenizer.json.`);
  }
  try {
    return new AnyTokenizer(new Tokenizer(json, {}), json as ForeignTokenizerJson, name);
  } catch (error) {
    const reason = (error as Error).message.replace(/\s+/g, ' ').replace(/\.$/, '');
    throw new DataError(
      `${name} is of a form that @huggingface/tokenizers cannot load (${reason}): give a tokenizer.json that it knows.`,
      { cause: error },
    );
  }
}

class AnyTokenizer implements ForeignTokenizer {
  readonly vocabSize: number;
  readonly specials: ReadonlyMap<string, number>;
  readonly specialTokens: SpecialTokens;
  readonly endOfText: number | undefined;
  readonly #added: ReadonlyMap<number, string>;
  /** Matches a space that JavaScript does not know, before tokens that take the spaces before them. */
  readonly #nextLine: RegExp | undefined;

  constructor(
    private readonly tokenizer: HuggingFaceTokenizer,
    private readonly json: ForeignTokenizerJson,
    private readonly name: string,
  ) {
    const added = [...tokenizer.get_added_tokens_decoder().values()];
    const specials = added.filter(({ special }) => special);
    let vocabSize = 0;
    for (const id of tokenizer.get_vocab().values()) vocabSize = Math.max(vocabSize, id + 1);
    this.vocabSize = vocabSize;
    this.specials = new Map(specials.map(({ content, id }) => [content, id]));
    this.specialTokens = rolesOf(added);
    this.endOfText = this.specialTokens.end;
    this.#added = new Map(added.map(({ content, id }) => [id, content]));
    const stripping = added.filter(({ lstrip }) => lstrip).map(({ content }) => escapeRegExp(content));
    if (stripping.length > 0) this.#nextLine = new RegExp(`\\u0085(?=[\\s\\u0085]*(?:${stripping.join('|')}))`, 'g');
  }

  encode(text: string, { framed = false }: EncodeOptions = {}): Int32Array {
    const given = this.#nextLine ? wellFormed(text).replace(this.#nextLine, ' ') : wellFormed(text);
    return Int32Array.from(this.tokenizer.encode(given, { add_special_tokens: framed }).ids);
  }

  decode(ids: ArrayLike<number>): string {
    const list = Array.from(ids);
    for (const id of list) this.#tokenOf(id);
    return list.length === 0 ? '' : this.tokenizer.decode(list, { clean_up_tokenization_spaces: false });
  }

  /**
   * A token's text may depend on the one before, so each is decoded after those of the last piece that was given out.
   */
  decodeStream(): TokenStream {
    let before: number[] = [];
    let waiting: number[] = [];
    const take = () => this.decode([...before, ...waiting]).slice(this.decode(before).length);
    const give = (text: string) => {
      before = waiting;
      waiting = [];
      return text;
    };
    return {
      push: (ids) => {
        let text = '';
        for (const id of typeof ids === 'number' ? [ids] : Array.from(ids)) {
          waiting.push(id);
          const next = take();
          // U+FFFD at the end may be the first bytes of a character.
          if (next !== '' && !next.endsWith('\ufffd')) text += give(next);
        }
        return text;
      },
      end: () => {
        const text = take();
        before = [];
        waiting = [];
        return text;
      },
    };
  }

  bytesOf(id: number): Uint8Array {
    const token = this.#tokenOf(id);
    const added = this.#added.get(id);
    if (added !== undefined) return new TextEncoder().encode(added);
    const bytes =
      (this.json.decoder as { type?: unknown } | null | undefined)?.type === 'ByteLevel' && tokenToBytes(token);
    if (bytes) return bytes;
    throw new DataError(
      `Token ${id} of ${this.name} has no bytes of its own, as it is not byte-level: decode ids together.`,
    );
  }

  toJSON(): ForeignTokenizerJson {
    return this.json;
  }

  #tokenOf(id: number): string {
    const token = this.tokenizer.id_to_token(id);
    if (token !== undefined) return token;
    throw new DataError(
      `Token id ${id} is outside the vocabulary of ${this.vocabSize}; use ids that ${this.name} has.`,
    );
  }
}

/** The text with U+FFFD for every lone surrogate. */
const wellFormed = (text: string) => text.replace(/\p{Surrogate}/gu, '\ufffd');

const escapeRegExp = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
