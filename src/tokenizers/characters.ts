import { checkArguments, option } from '../base/options.ts';
import { type AddedToken, addedTokensKind } from './added-tokens.ts';
import { bpeModelToJson } from './bpe.ts';
import type { IdBuffer } from './byte-level/id-buffer.ts';
import type { CharacterJson } from './tokenizer.ts';
import { commonJson, VocabularyTokenizer } from './vocabulary-tokenizer.ts';

interface CharacterParts {
  /** Text of every id, added tokens included; what is not added is one character: a Unicode scalar value. */
  readonly tokens: readonly string[];
  /** Id that stands for any other character; it may be an added token. */
  readonly unknown: number;
  readonly added: readonly AddedToken[];
}

/** One token per character that the vocabulary has. Make one with `trainCharacters` or `loadTokenizer`. */
export class CharacterTokenizer extends VocabularyTokenizer {
  private readonly texts: readonly string[];
  /** Ids of characters below U+0800, and of the others. */
  private readonly small: Int32Array;
  private readonly large = new Map<number, number>();
  private readonly unknown: number;

  constructor(parts: CharacterParts) {
    checkArguments(
      'CharacterTokenizer',
      { parts },
      {
        parts: option.having('tokens, unknown and added', {
          tokens: option.strings,
          unknown: option.natural,
          added: addedTokensKind,
        }),
      },
    );
    const { tokens, unknown, added } = parts;
    const encoder = new TextEncoder();
    super(
      tokens.map((text) => encoder.encode(text)),
      added,
      unknown,
    );
    this.texts = tokens;
    this.unknown = unknown;
    this.small = new Int32Array(0x800).fill(unknown);
    const isAdded = new Set(added.map(({ id }) => id));
    tokens.forEach((text, id) => {
      if (isAdded.has(id)) return;
      const code = text.codePointAt(0)!;
      if (code < this.small.length) this.small[code] = id;
      else this.large.set(code, id);
    });
  }

  protected override encodePlain(text: string, ids: IdBuffer): void {
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code < this.small.length) {
        ids.push(this.small[code]!);
        continue;
      }
      let scalar = text.codePointAt(i)!;
      if (scalar > 0xffff) i++;
      else if (scalar >= 0xd800 && scalar < 0xe000) scalar = 0xfffd;
      ids.push(this.large.get(scalar) ?? this.unknown);
    }
  }

  /** Merges of nothing: BPE over single characters, which every reader of tokenizer.json knows. */
  override toJSON(): CharacterJson {
    return {
      ...commonJson(this.added),
      pre_tokenizer: null,
      post_processor: null,
      decoder: { type: 'Fuse' },
      model: { ...bpeModelToJson(this.texts, []), unk_token: this.texts[this.unknown]! },
    };
  }
}
