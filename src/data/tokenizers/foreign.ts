import type { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import type { SpecialTokens } from '../tokenizer.ts';
import { rolesOf } from './added-tokens.ts';

/** The part of a tokenizer that any tokenizer.json gives. */
export interface ForeignTokenizer {
  /** Number of ids, special tokens included. */
  readonly vocabSize: number;
  readonly specials: ReadonlyMap<string, number>;
  readonly specialTokens: SpecialTokens;
  /**
   * Ids of `text`.
   *
   * @param options.framed put the special tokens around it that the file says, such as `[CLS]` and `[SEP]`. Default false.
   */
  encode(text: string, options?: { framed?: boolean }): Int32Array;
  /** Text of `ids` as far as the file's decoder restores it. @throws for an id outside the vocabulary. */
  decode(ids: ArrayLike<number>): string;
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
    throw new Error(
      `${name} needs the package @huggingface/tokenizers: install it with npm install @huggingface/tokenizers.`,
      { cause: error },
    );
  });
  if (typeof json !== 'object' || json === null) {
    throw new Error(`${name} holds no object: give the contents of a tokenizer.json.`);
  }
  let tokenizer: HuggingFaceTokenizer;
  try {
    tokenizer = new Tokenizer(json, {});
  } catch (error) {
    const reason = (error as Error).message.replace(/\s+/g, ' ').replace(/\.$/, '');
    throw new Error(
      `${name} is of a form that @huggingface/tokenizers cannot load (${reason}): give a tokenizer.json that it knows.`,
      { cause: error },
    );
  }
  const added = [...tokenizer.get_added_tokens_decoder().values()];
  const specials = added.filter(({ special }) => special);
  let vocabSize = 0;
  for (const id of tokenizer.get_vocab().values()) vocabSize = Math.max(vocabSize, id + 1);
  return {
    vocabSize,
    specials: new Map(specials.map(({ content, id }) => [content, id])),
    specialTokens: rolesOf(added),
    encode: (text, { framed = false } = {}) =>
      Int32Array.from(tokenizer.encode(wellFormed(text), { add_special_tokens: framed }).ids),
    decode(ids) {
      const list = Array.from(ids);
      for (const id of list) {
        if (tokenizer.id_to_token(id) !== undefined) continue;
        throw new RangeError(`Token id ${id} is outside the vocabulary of ${vocabSize}; use ids that ${name} has.`);
      }
      return list.length === 0 ? '' : tokenizer.decode(list, { clean_up_tokenization_spaces: false });
    },
  };
}

/** The text with U+FFFD for every lone surrogate. */
const wellFormed = (text: string) => text.replace(/\p{Surrogate}/gu, '\ufffd');
