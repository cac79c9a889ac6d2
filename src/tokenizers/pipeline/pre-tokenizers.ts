/** Pre-tokenizers of the Rust library `tokenizers`: they cut a text where no token crosses. */

import { DataError } from '../../base/errors.ts';
import { z } from '../../base/zod.ts';
import { PRE_TOKEN_PATTERN } from '../byte-level/byte-level.ts';
import { compileExpression } from '../expression.ts';
import { byteLevelOf } from './normalizers.ts';
import { escapeRegExp, fieldsOf, ofType, type Part, partsAt, patternField, regExpOf } from './part.ts';

/** A stretch of a text. */
export interface Piece {
  readonly text: string;
  /** Whether the whole text begins with the piece. */
  readonly isFirst: boolean;
}

export type PreTokenizer = (piece: Piece) => Piece[];

/** @throws DataError when the part is of a type, or has a key, that is not supported */
export function readPreTokenizer(part: Part): PreTokenizer {
  return ofType(part, preTokenizers)(part);
}

const behaviors = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
type Behavior = (typeof behaviors)[number];

/** `\w` of Rust's regular expressions. */
const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';
const PUNCTUATION = /[\p{P}!-/:-@[-`{-~]/gu;

const preTokenizers: Readonly<Record<string, (part: Part) => PreTokenizer>> = {
  BertPreTokenizer(part) {
    fieldsOf(part, {});
    return chained([splitting(/\p{White_Space}/gu, 'Removed'), splitting(PUNCTUATION, 'Isolated')]);
  },
  ByteLevel(part) {
    const { add_prefix_space: prefix, use_regex: splits } = fieldsOf(part, {
      add_prefix_space: z.boolean(),
      trim_offsets: z.optional(z.boolean()),
      use_regex: z._default(z.boolean(), true),
    });
    const split: PreTokenizer = splits ? splitting(PRE_TOKEN_PATTERN, 'Isolated') : (piece) => [piece];
    return (piece) => {
      const text = prefix && !piece.text.startsWith(' ') ? ` ${piece.text}` : piece.text;
      return split({ ...piece, text }).map(({ text, isFirst }) => ({ text: byteLevelOf(text), isFirst }));
    };
  },
  CharDelimiterSplit(part) {
    const { delimiter } = fieldsOf(part, { delimiter: z.string().check(z.regex(/^.$/su, 'must be one character')) });
    return splitting(compileExpression(escapeRegExp(delimiter), 'gu'), 'Removed');
  },
  Digits(part) {
    const { individual_digits: individual } = fieldsOf(part, { individual_digits: z.boolean() });
    return splitting(/\p{N}/gu, individual ? 'Isolated' : 'Contiguous');
  },
  FixedLength(part) {
    const { length } = fieldsOf(part, { length: z._default(z.int().check(z.minimum(1)), 5) });
    return splitting(compileExpression(`[^]{1,${length}}`, 'gu'), 'Isolated');
  },
  Metaspace(part) {
    const given = fieldsOf(part, {
      replacement: z.string().check(z.regex(/^.$/su, 'must be one character')),
      prepend_scheme: z.optional(z.enum(['always', 'first', 'never'])),
      add_prefix_space: z.optional(z.boolean()),
      split: z._default(z.boolean(), true),
      // Older files have the replacement once more.
      str_rep: z.optional(z.string()),
    });
    const { replacement, split, add_prefix_space: prefix = true, prepend_scheme: scheme = 'always' } = given;
    if (!prefix && given.prepend_scheme !== undefined && scheme !== 'never') {
      throw new DataError(
        `${part.where}.add_prefix_space is false, but prepend_scheme is ${JSON.stringify(scheme)}: make them agree.`,
      );
    }
    const cut = splitting(compileExpression(escapeRegExp(replacement), 'gu'), 'MergedWithNext');
    return ({ text, isFirst }) => {
      const replaced = text.replaceAll(' ', () => replacement);
      const wants = prefix && (scheme === 'always' || (scheme === 'first' && isFirst));
      const whole = wants && !replaced.startsWith(replacement) ? replacement + replaced : replaced;
      return split ? cut({ text: whole, isFirst }) : [{ text: whole, isFirst }];
    };
  },
  Punctuation(part) {
    const { behavior } = fieldsOf(part, { behavior: z._default(z.enum(behaviors), 'Isolated') });
    return splitting(PUNCTUATION, behavior);
  },
  Sequence(part) {
    fieldsOf(part, { pretokenizers: z.array(z.unknown()) });
    return chained(partsAt(part, 'pretokenizers').map(readPreTokenizer));
  },
  Split(part) {
    const { pattern, behavior, invert } = fieldsOf(part, {
      pattern: patternField(),
      behavior: z.enum(behaviors),
      invert: z.boolean(),
    });
    return splitting(regExpOf(pattern, part), behavior, invert);
  },
  Whitespace(part) {
    fieldsOf(part, {});
    return splitting(new RegExp(`[${WORD}]+|[^${WORD}\\p{White_Space}]+`, 'gu'), 'Removed', true);
  },
  WhitespaceSplit(part) {
    fieldsOf(part, {});
    return splitting(/\p{White_Space}/gu, 'Removed');
  },
};

function chained(steps: readonly PreTokenizer[]): PreTokenizer {
  return (piece) => steps.reduce<Piece[]>((pieces, step) => pieces.flatMap(step), [piece]);
}

/** Cuts at the matches of a pattern; `inverted` takes the text between matches for matches. */
function splitting(pattern: RegExp, behavior: Behavior, inverted = false): PreTokenizer {
  return ({ text, isFirst }) => {
    const stretches = cutting(stretchesOf(text, pattern, inverted), behavior);
    return stretches
      .filter(({ start, end }) => end > start)
      .map(({ start, end }) => ({ text: text.slice(start, end), isFirst: isFirst && start === 0 }));
  };
}

interface Stretch {
  start: number;
  end: number;
  readonly isMatch: boolean;
}

/** Matches and the text between them; together the whole text. */
function stretchesOf(text: string, pattern: RegExp, inverted: boolean): Stretch[] {
  const stretches: Stretch[] = [];
  let last = 0;
  let lastEnd = -1;
  for (const { index, 0: found } of text.matchAll(pattern)) {
    const end = index + found.length;
    // Nothing matches right after a match.
    if (index === end && index === lastEnd) continue;
    if (index > last) stretches.push({ start: last, end: index, isMatch: inverted });
    stretches.push({ start: index, end, isMatch: !inverted });
    last = end;
    lastEnd = end;
  }
  if (last < text.length) stretches.push({ start: last, end: text.length, isMatch: inverted });
  return stretches;
}

function cutting(stretches: readonly Stretch[], behavior: Behavior): readonly Stretch[] {
  switch (behavior) {
    case 'Isolated':
      return stretches;
    case 'Removed':
      return stretches.filter(({ isMatch }) => !isMatch);
    case 'Contiguous':
      return joined(stretches, (before, next) => before.isMatch === next.isMatch);
    case 'MergedWithPrevious':
      return joined(stretches, (before, next) => next.isMatch && !before.isMatch);
    case 'MergedWithNext':
      return joined(stretches, (before, next) => before.isMatch && !next.isMatch);
  }
}

/** Joins neighbours that belong together. */
function joined(
  stretches: readonly Stretch[],
  belongs: (before: Stretch, next: Stretch) => boolean,
): readonly Stretch[] {
  const found: Stretch[] = [];
  stretches.forEach((stretch, i) => {
    if (i > 0 && belongs(stretches[i - 1]!, stretch)) found.at(-1)!.end = stretch.end;
    else found.push({ ...stretch });
  });
  return found;
}
