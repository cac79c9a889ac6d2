import { DataError, PlatformError } from '../base/errors.ts';
import { checkJson } from '../base/json.ts';
import { checkArguments, option } from '../base/options.ts';
import { z } from '../base/zod.ts';
import { rolesOf } from './added-tokens.ts';
import { tokenToBytes } from './byte-level/byte-level.ts';
import { IdBuffer } from './byte-level/id-buffer.ts';
import { type PlacedToken, readAddedTokens, type Section, sectionsBy } from './pipeline/added-vocabulary.ts';
import { type Decoder, readDecoder } from './pipeline/decoders.ts';
import { type Model, readModel } from './pipeline/models.ts';
import { readNormalizer } from './pipeline/normalizers.ts';
import { fieldsOf, type Part, partAt } from './pipeline/part.ts';
import { type PostProcessor, readPostProcessor } from './pipeline/post-processors.ts';
import { type PreTokenizer, readPreTokenizer } from './pipeline/pre-tokenizers.ts';
import type { EncodeOptions, ForeignTokenizerJson, SpecialTokens, Tokenizer, TokenStream } from './tokenizer.ts';

/**
 * A tokenizer of any tokenizer.json. Its `decode` gives the text as far as the file's decoder restores it, and its
 * `bytesOf` throws unless the file is byte-level.
 */
export interface ForeignTokenizer extends Tokenizer {
  toJSON(): ForeignTokenizerJson;
}

/**
 * Makes a tokenizer from a tokenizer.json of any form that the Rust library `tokenizers` writes, such as WordPiece
 * (BERT) or unigram with `▁` (T5). Ids are those of that library. `loadTokenizer` is many times faster where the form
 * is one of its own. A file's padding and truncation are not applied, as texts are encoded whole.
 *
 * @param name what error messages call the source, such as its path
 * @throws DataError that names the first key which is not supported
 * @throws PlatformError for a regular expression where the package `@huggingface/tokenizers`, which translates these,
 *   is not installed
 */
export async function loadForeignTokenizer(json: unknown, name = 'tokenizer.json'): Promise<ForeignTokenizer> {
  checkArguments('loadForeignTokenizer', { name }, { name: option.string });
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new DataError(`${name} holds no object: give the contents of a tokenizer.json.`);
  }
  checkJson(json, name);
  const file: Part = {
    json: json as ForeignTokenizerJson,
    where: `${name}:`,
    compile: hasExpression(json) ? await expressionCompiler(name) : () => /(?!)/gu,
  };
  fieldsOf(file, {
    version: z.nullish(z.string()),
    truncation: z.nullish(z.unknown()),
    padding: z.nullish(z.unknown()),
    added_tokens: z.optional(z.array(z.unknown())),
    normalizer: z.nullish(z.unknown()),
    pre_tokenizer: z.nullish(z.unknown()),
    post_processor: z.nullish(z.unknown()),
    decoder: z.nullish(z.unknown()),
    model: z.optional(z.unknown()),
  });
  return new AnyTokenizer(file, name);
}

/** Whether a pattern anywhere in a file is a regular expression. */
function hasExpression(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if ('Regex' in value && typeof value.Regex === 'string') return true;
  return Object.entries(value).some(([key, inner]) => key !== 'vocab' && key !== 'merges' && hasExpression(inner));
}

async function expressionCompiler(name: string): Promise<Part['compile']> {
  const { SplitPreTokenizer } = await import('@huggingface/tokenizers').catch((error: Error) => {
    throw new PlatformError(
      `${name} needs the package @huggingface/tokenizers: install it with npm install @huggingface/tokenizers.`,
      { cause: error },
    );
  });
  return (pattern, where) => {
    const split = { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false } as const;
    try {
      return new SplitPreTokenizer(split).pattern!;
    } catch (error) {
      throw new DataError(
        `${where} is ${JSON.stringify(pattern)}, a regular expression that JavaScript has no counterpart of: give a tokenizer without it.`,
        { cause: error },
      );
    }
  };
}

class AnyTokenizer implements ForeignTokenizer {
  readonly vocabSize: number;
  readonly specials: ReadonlyMap<string, number>;
  readonly specialTokens: SpecialTokens;
  readonly endOfText: number | undefined;
  readonly #json: ForeignTokenizerJson;
  readonly #added: ReadonlyMap<number, PlacedToken>;
  readonly #tokens: ReadonlyMap<number, string>;
  readonly #sections: (text: string) => Iterable<Section>;
  readonly #preTokenize: PreTokenizer;
  readonly #model: Model;
  readonly #frame: PostProcessor;
  readonly #decode: Decoder;
  readonly #isByteLevel: boolean;

  constructor(
    file: Part,
    private readonly name: string,
  ) {
    const read = <T>(key: string, reader: (part: Part) => T): T | undefined => {
      const part = partAt(file, key);
      return part && reader(part);
    };
    const model = read('model', readModel);
    if (!model) throw new DataError(`${name} has no model: restore it from a copy.`);
    const added = readAddedTokens(file, model);
    const normalize = read('normalizer', readNormalizer) ?? ((text: string) => text);
    const tokens = new Map([...model.vocab].map(([token, id]) => [id, token]));
    // The library gives back the text that it looks for.
    for (const { id, content, normalized } of added) tokens.set(id, normalized ? normalize(content) : content);
    this.vocabSize = [...tokens.keys()].reduce((size, id) => Math.max(size, id + 1), 0);
    const specials = added.filter(({ special }) => special);
    this.specials = new Map(specials.map(({ content, id }) => [content, id]));
    this.specialTokens = rolesOf(added);
    this.endOfText = this.specialTokens.end;
    this.#json = file.json;
    this.#added = new Map(added.map((token) => [token.id, token]));
    this.#tokens = tokens;
    this.#sections = sectionsBy(added, normalize);
    this.#preTokenize = read('pre_tokenizer', readPreTokenizer) ?? ((piece) => [piece]);
    this.#model = model;
    this.#frame = read('post_processor', readPostProcessor) ?? ((ids) => ids);
    // Without a decoder the library puts a space between tokens.
    this.#decode = read('decoder', readDecoder) ?? ((list) => [list.join(' ')]);
    this.#isByteLevel = partAt(file, 'decoder')?.json.type === 'ByteLevel';
  }

  encode(text: string, { framed = false }: EncodeOptions = {}): Int32Array {
    const ids = new IdBuffer();
    for (const section of this.#sections(wellFormed(text))) {
      if (typeof section === 'number') ids.push(section);
      else for (const piece of this.#preTokenize(section)) ids.append(Int32Array.from(this.#model.encode(piece.text)));
    }
    return framed ? Int32Array.from(this.#frame([...ids.toArray()])) : ids.toArray();
  }

  decode(ids: ArrayLike<number>): string {
    const tokens = Array.from(ids, (id) => this.#tokenOf(id));
    return tokens.length === 0 ? '' : this.#decode(tokens).join('');
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
    if (this.#added.has(id)) return new TextEncoder().encode(token);
    const bytes = this.#isByteLevel ? tokenToBytes(token) : undefined;
    if (bytes) return bytes;
    throw new DataError(
      `Token ${id} of ${this.name} has no bytes of its own, as it is not byte-level: decode ids together.`,
    );
  }

  toJSON(): ForeignTokenizerJson {
    return this.#json;
  }

  #tokenOf(id: number): string {
    const token = this.#tokens.get(id);
    if (token !== undefined) return token;
    throw new DataError(
      `Token id ${id} is outside the vocabulary of ${this.vocabSize}; use ids that ${this.name} has.`,
    );
  }
}

/** The text with U+FFFD for every lone surrogate. */
const wellFormed = (text: string) => text.replace(/\p{Surrogate}/gu, '\ufffd');
