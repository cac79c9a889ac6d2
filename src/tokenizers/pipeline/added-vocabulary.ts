/** Tokens that are found in a text by their own text, before and after normalization, as the Rust library does. */
import { z } from '../../base/zod.ts';
import { patternOf } from '../added-tokens.ts';
import type { Model } from './models.ts';
import type { Normalizer } from './normalizers.ts';
import { fieldsOf, type Part, partsAt } from './part.ts';
import type { Piece } from './pre-tokenizers.ts';

/** An added token under the id that the library gives it. */
export interface PlacedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** A token, or text without tokens. */
export type Section = number | Piece;

/**
 * The added tokens of a file. The library numbers tokens that its vocabulary lacks itself, after all others. The ids
 * that a file gives them are the same unless they have holes.
 */
export function readAddedTokens(file: Part, { vocab, size }: Model): PlacedToken[] {
  if (file.json.added_tokens === undefined) return [];
  const flag = () => z.boolean();
  const placed = new Map<string, PlacedToken>();
  const byId = new Map<number, PlacedToken>();
  let last = -1;
  for (const part of partsAt(file, 'added_tokens')) {
    const fields = fieldsOf(part, {
      id: z.int().check(z.minimum(0)),
      content: z.string(),
      single_word: z._default(flag(), false),
      lstrip: z._default(flag(), false),
      rstrip: z._default(flag(), false),
      normalized: z.optional(flag()),
      special: z._default(flag(), false),
    });
    const { content, normalized = !fields.special } = fields;
    if (content === '') continue;
    const known = placed.get(content)?.id ?? vocab.get(content);
    const id = known ?? (last >= size || (size === 0 && last >= 0) ? last + 1 : size);
    const token = { ...fields, normalized, id };
    placed.set(content, token);
    byId.set(id, token);
    last = Math.max(last, id);
  }
  return [...byId.values()];
}

/** @returns a text's sections, in order; empty ones are left out */
export function sectionsBy(
  tokens: readonly PlacedToken[],
  normalize: Normalizer,
): (text: string) => Generator<Section> {
  const raw = finder(tokens.filter(({ normalized }) => !normalized).map((token) => [token.content, token]));
  const normalized = finder(
    tokens.filter(({ normalized }) => normalized).map((token) => [normalize(token.content), token]),
  );
  return function* (text) {
    for (const section of raw({ text, isFirst: true })) {
      if (typeof section === 'number') yield section;
      else yield* normalized({ text: normalize(section.text), isFirst: section.isFirst });
    }
  };
}

const SPACES_AFTER = /\p{White_Space}*/uy;
const WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

function finder(entries: readonly (readonly [text: string, token: PlacedToken])[]): (piece: Piece) => Section[] {
  const byText = new Map(entries.filter(([text]) => text !== ''));
  if (byText.size === 0) return (piece) => (piece.text === '' ? [] : [piece]);
  const pattern = patternOf([...byText.keys()]);
  return ({ text, isFirst }) => {
    const sections: Section[] = [];
    const give = (start: number, end: number) => {
      if (end > start) sections.push({ text: text.slice(start, end), isFirst: isFirst && start === 0 });
    };
    let done = 0;
    for (const { index, 0: found } of text.matchAll(pattern)) {
      const token = byText.get(found)!;
      let start = index;
      let end = index + found.length;
      if (token.single_word && (endsWithWord(text, start) || beginsWithWord(text, end))) continue;
      if (token.lstrip) start = Math.max(spacesBefore(text, start), done);
      if (token.rstrip) {
        SPACES_AFTER.lastIndex = end;
        end += SPACES_AFTER.exec(text)![0].length;
      }
      give(done, start);
      sections.push(token.id);
      done = end;
    }
    give(done, text.length);
    return sections;
  };
}

/** Where the white space before a place begins. */
function spacesBefore(text: string, end: number): number {
  let start = end;
  while (start > 0 && /\p{White_Space}/u.test(text[start - 1]!)) start--;
  return start;
}

function endsWithWord(text: string, end: number): boolean {
  const low = text.charCodeAt(end - 1);
  const start = (low & 0xfc00) === 0xdc00 ? end - 2 : end - 1;
  return end > 0 && WORD.test(text.slice(start, end));
}

function beginsWithWord(text: string, start: number): boolean {
  const point = text.codePointAt(start);
  return point !== undefined && WORD.test(String.fromCodePoint(point));
}
